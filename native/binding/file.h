// NativeFile of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "io/transports/file.h"

namespace system_tls::binding {

// A file that waits to be sent. It owns its descriptor, so that none is left when the environment ends first.
class FileHandle {
 public:
  static constexpr const char* kName = "NativeFile";
  static constexpr ClassId kClass = ClassId::File;

  static std::unique_ptr<FileHandle> construct(const Call& call);

  explicit FileHandle(std::unique_ptr<io::File> file) : file_(std::move(file)) {}

  // Null if it was taken before, or closed.
  std::unique_ptr<io::File> take() { return std::move(file_); }

  napi_value close(const Call& call);

 private:
  std::unique_ptr<io::File> file_;
};

bool define_file(napi_env env, napi_value exports);

}  // namespace system_tls::binding
