// Memory of the application that the engine reads from or writes to, asked for anew at each turn: JavaScript can detach
// or shrink an ArrayBuffer between two turns, so a pointer kept across them would dangle.
#pragma once

#include <cstdint>
#include <span>

namespace system_tls::engine {

class ClearSource {
 public:
  virtual ~ClearSource() = default;
  // Shorter than it was when the operation started: the memory is gone.
  virtual std::span<const std::uint8_t> bytes() = 0;
};

class ClearTarget {
 public:
  virtual ~ClearTarget() = default;
  // Empty: the memory is gone.
  virtual std::span<std::uint8_t> room() = 0;
};

}  // namespace system_tls::engine
