#include "binding/file.h"

#include "binding/core/failure.h"

namespace system_tls::binding {

std::unique_ptr<FileHandle> FileHandle::construct(const Call& call) {
  int fd = -1;
  if (!call.read(0, "fd", fd)) return nullptr;
  openssl::FailurePtr failure;
  auto file = io::File::open(fd, failure);
  if (file) return std::make_unique<FileHandle>(std::move(file));
  throw_failure(call.env, failure);
  return nullptr;
}

napi_value FileHandle::close(const Call& call) {
  file_.reset();
  return undefined(call.env);
}

bool define_file(napi_env env, napi_value exports) {
  return define_class<FileHandle>(env, exports, {method<&FileHandle::close>("close")});
}

}  // namespace system_tls::binding
