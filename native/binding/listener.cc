#include "binding/listener.h"

#include "binding/connection.h"
#include "binding/core/delivery.h"
#include "binding/core/failure.h"
#include "binding/core/options_reader.h"

namespace system_tls::binding {

std::unique_ptr<ListenerHandle> ListenerHandle::construct(const Call& call) {
  std::int32_t id = 0;
  if (!call.read(0, "id", id)) return nullptr;
  Delivery* delivery = Delivery::required(call.env);
  if (delivery == nullptr) return nullptr;
  return std::make_unique<ListenerHandle>(std::make_shared<io::Listener>(*delivery->reactor(), id));
}

napi_value ListenerHandle::listen(const Call& call) {
  if (Delivery::required(call.env) == nullptr) return nullptr;
  io::ListenOptions options;
  OptionsReader reader(call.env, call[0], "options");
  reader.read("address", options.address)
      .read("port", options.port)
      .read("path", options.path)
      .read("fd", options.fd)
      .read("backlog", options.backlog)
      .read("ipv6Only", options.ipv6_only)
      .read("reusePort", options.reuse_port);
  if (!reader.ok()) return nullptr;
  const openssl::FailurePtr failure = listener_->listen(options);
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ListenerHandle::address(const Call& call) {
  const auto address = listener_->listening() ? listener_->address() : std::nullopt;
  if (address && address->family == io::Address::Family::unix_path) return to_js(call.env, address->text);
  return address_to_js(call.env, address);
}

napi_value ListenerHandle::close(const Call& call) {
  listener_->close();
  return undefined(call.env);
}

napi_value ListenerHandle::refuse(const Call& call) {
  int fd = -1;
  if (!call.read(0, "fd", fd)) return nullptr;
  listener_->refuse(fd);
  return undefined(call.env);
}

napi_value ListenerHandle::ref(const Call& call) {
  listener_->set_ref(true);
  return undefined(call.env);
}

napi_value ListenerHandle::unref(const Call& call) {
  listener_->set_ref(false);
  return undefined(call.env);
}

bool define_listener(napi_env env, napi_value exports) {
  return define_class<ListenerHandle>(env, exports,
                                      {
                                          method<&ListenerHandle::listen>("listen"),
                                          method<&ListenerHandle::address>("address"),
                                          method<&ListenerHandle::close>("close"),
                                          method<&ListenerHandle::refuse>("refuse"),
                                          method<&ListenerHandle::ref>("ref"),
                                          method<&ListenerHandle::unref>("unref"),
                                      });
}

}  // namespace system_tls::binding
