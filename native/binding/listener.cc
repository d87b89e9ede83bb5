#include "binding/listener.h"

#include "binding/connection.h"
#include "binding/core/delivery.h"
#include "binding/core/failure.h"
#include "binding/core/options_reader.h"
#include "binding/io_pool.h"

namespace system_tls::binding {

using openssl::FailurePtr;

std::unique_ptr<ListenerHandle> ListenerHandle::construct(const Call& call) {
  std::int32_t id = 0;
  if (!call.read(0, "id", id)) return nullptr;
  Delivery* delivery = Delivery::required(call.env);
  if (delivery == nullptr) return nullptr;
  std::shared_ptr<io::IoThread> thread;
  if (!is_nullish(call.env, call[1])) {
    IoPoolHandle* pool = handle_argument<IoPoolHandle>(call, 1, "io");
    if (pool == nullptr) return nullptr;
    thread = pool->choose();
    if (!thread) return throw_failure(call.env, IoPoolHandle::closed_failure()), nullptr;
  }
  return std::make_unique<ListenerHandle>(delivery->shared_from_this(), std::move(thread), id);
}

// Where it accepts, and waits for the thread if that is one: a port is bound, or free, when this returns. False: the
// thread has ended, and its listeners with it.
template <typename Function>
bool ListenerHandle::run(Function function) {
  if (thread_) return thread_->run(std::move(function));
  function();
  return true;
}

// From here on the thread may end.
void ListenerHandle::leave_thread() {
  if (thread_ && !std::exchange(left_, true)) thread_->add_user(-1);
}

ListenerHandle::~ListenerHandle() {
  if (thread_) {
    leave_thread();
    thread_->post([listener = std::move(listener_)] {
      if (listener) listener->close();
    });
  } else {
    stop();
  }
}

void ListenerHandle::stop() {
  address_.reset();
  if (!listener_) return;
  run([this] {
    listener_->close();
    listener_.reset();
  });
}

FailurePtr ListenerHandle::listen_at(const io::ListenOptions& options) {
  FailurePtr failure = IoPoolHandle::closed_failure();
  run([&] {
    if (!listener_) {
      io::Reactor& reactor = thread_ ? *thread_->reactor() : *delivery_->reactor();
      listener_ = std::make_shared<io::Listener>(reactor, id_);
    }
    failure = listener_->listen(options);
    if (!failure) address_ = listener_->address();
  });
  return failure;
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
  const FailurePtr failure = listen_at(options);
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ListenerHandle::address(const Call& call) {
  if (address_ && address_->family == io::Address::Family::unix_path) return to_js(call.env, address_->text);
  return address_to_js(call.env, address_);
}

napi_value ListenerHandle::close(const Call& call) {
  stop();
  leave_thread();
  return undefined(call.env);
}

// Once, whether a connection had taken it and refused it, or not.
napi_value ListenerHandle::refuse(const Call& call) {
  int fd = -1;
  if (!call.read(0, "fd", fd)) return nullptr;
  if (!delivery_->reactor()->offered()->take(fd)) io::Fd{fd}.reset();
  return undefined(call.env);
}

napi_value ListenerHandle::give_up(const Call& call) {
  int fd = -1;
  if (!call.read(0, "fd", fd)) return nullptr;
  auto offered = delivery_->reactor()->offered()->take(fd);
  if (offered) offered->fd.release();
  return to_js(call.env, offered.has_value());
}

void ListenerHandle::set_ref(bool on) {
  if (!listener_) return;
  if (thread_) {
    thread_->post([listener = listener_, on] { listener->set_ref(on); });
  } else {
    listener_->set_ref(on);
  }
}

napi_value ListenerHandle::ref(const Call& call) {
  set_ref(true);
  return undefined(call.env);
}

napi_value ListenerHandle::unref(const Call& call) {
  set_ref(false);
  return undefined(call.env);
}

bool define_listener(napi_env env, napi_value exports) {
  return define_class<ListenerHandle>(env, exports,
                                      {
                                          method<&ListenerHandle::listen>("listen"),
                                          method<&ListenerHandle::address>("address"),
                                          method<&ListenerHandle::close>("close"),
                                          method<&ListenerHandle::refuse>("refuse"),
                                          method<&ListenerHandle::give_up>("giveUp"),
                                          method<&ListenerHandle::ref>("ref"),
                                          method<&ListenerHandle::unref>("unref"),
                                      });
}

}  // namespace system_tls::binding
