// A new file, in the folder that the environment names: /tmp may be read-only.
#pragma once

#include <cstdlib>
#include <string>

#include "io/transports/fd.h"

namespace system_tls::test {

struct TemporaryFile {
  std::string path;
  io::Fd fd;  // empty: the folder takes none
};

inline TemporaryFile make_temporary_file() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder == nullptr ? "/tmp" : folder) + "/system-tls-XXXXXX";
  io::Fd fd(::mkstemp(path.data()));
  return {std::move(path), std::move(fd)};
}

}  // namespace system_tls::test
