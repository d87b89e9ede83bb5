// A regular file that is being sent.
#pragma once

#include <memory>
#include <vector>

#include "engine/operations/file_source.h"
#include "io/transports/fd.h"
#include "openssl/library/failure.h"

namespace system_tls::io {

class File : public engine::FileSource {
 public:
  // A duplicate: the caller may close its own descriptor at any time, and its number may become another file's. Null:
  // `failure` says why.
  static std::unique_ptr<File> open(int fd, openssl::FailurePtr& failure);

  int fd() const override { return fd_.get(); }
  std::span<const std::uint8_t> read(std::uint64_t at, std::size_t most, int& error) override;

 private:
  explicit File(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  std::vector<std::uint8_t> piece_;
};

}  // namespace system_tls::io
