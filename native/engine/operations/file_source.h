// A file of the application's that the engine sends.
#pragma once

#include <cstdint>
#include <span>

namespace system_tls::engine {

class FileSource {
 public:
  virtual ~FileSource() = default;
  // For SSL_sendfile(3), which reads it in the kernel.
  virtual int fd() const = 0;
  // Bytes from `at` on, at most so many, valid until the next call; none at the end. `error`: errno, or 0.
  virtual std::span<const std::uint8_t> read(std::uint64_t at, std::size_t most, int& error) = 0;
};

}  // namespace system_tls::engine
