// Memory of the application that the engine reads from or writes to, asked for anew at each turn: JavaScript can detach
// or shrink an ArrayBuffer between two turns, so a pointer kept across them would dangle.
#pragma once

#include <cstdint>
#include <span>

#include "openssl/library/failure.h"

namespace system_tls::engine {

class ClearSource {
 public:
  // Empty without a failure: it is not there yet, and whoever brings it lets the connection advance.
  struct Part {
    std::span<const std::uint8_t> bytes;
    openssl::FailurePtr failure;
  };

  virtual ~ClearSource() = default;
  // Of the `length` bytes that the operation started with, what is there from `offset` on. What lies before it is not
  // asked for again.
  virtual Part part(std::size_t offset, std::size_t length) = 0;

  static openssl::FailurePtr gone();
};

// All of it is in one place.
class WholeSource : public ClearSource {
 public:
  // Shorter than it was when the operation started: the memory is gone.
  virtual std::span<const std::uint8_t> bytes() = 0;

  Part part(std::size_t offset, std::size_t length) final;
};

class ClearTarget {
 public:
  virtual ~ClearTarget() = default;
  // Empty: the memory is gone.
  virtual std::span<std::uint8_t> room() = 0;
};

}  // namespace system_tls::engine
