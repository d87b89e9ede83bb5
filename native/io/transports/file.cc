#include "io/transports/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace system_tls::io {

using openssl::FailurePtr;
using openssl::system_failure;

std::unique_ptr<File> File::open(int fd, FailurePtr& failure) {
  struct stat status {};
  Fd owned(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!owned || ::fstat(owned.get(), &status) != 0) {
    failure = system_failure(errno, "sendFile");
    return nullptr;
  }
  if (!S_ISREG(status.st_mode)) {
    failure = system_failure(S_ISDIR(status.st_mode) ? EISDIR : ESPIPE, "sendFile");
    return nullptr;
  }
  return std::unique_ptr<File>(new File(std::move(owned)));
}

std::span<const std::uint8_t> File::read(std::uint64_t at, std::size_t most, int& error) {
  if (piece_.size() < most) piece_.resize(most);
  ssize_t count = 0;
  do {
    count = ::pread(fd_.get(), piece_.data(), most, static_cast<off_t>(at));
  } while (count < 0 && errno == EINTR);
  error = count < 0 ? errno : 0;
  return {piece_.data(), count < 0 ? 0 : static_cast<std::size_t>(count)};
}

}  // namespace system_tls::io
