#include "binding/bio.h"

#include <algorithm>
#include <vector>

#include "binding/core/failure.h"

namespace system_tls::binding {

namespace {

napi_value wrap_endpoint(napi_env env, Delivery& delivery, std::shared_ptr<io::BioEndpoint> endpoint) {
  if (!endpoint) return throw_failure(env, openssl::openssl_failure("The BIO could not be made"));
  return new_instance<BioHandle>(env, std::make_unique<BioHandle>(delivery.shared_from_this(), std::move(endpoint)));
}

}  // namespace

void Bell::set(napi_env env, napi_value function) {
  clear();
  env_ = env;
  napi_create_reference(env, function, 1, &callback_);
}

void Bell::clear() {
  delivery_.forget(this);
  if (callback_ != nullptr) napi_delete_reference(env_, std::exchange(callback_, nullptr));
}

napi_value Bell::callback(napi_env env) {
  napi_value function = nullptr;
  if (callback_ == nullptr || napi_get_reference_value(env, callback_, &function) != napi_ok) return nullptr;
  return function;
}

std::unique_ptr<BioHandle> BioHandle::construct(const Call& call) {
  throw_type_error(call.env, "ERR_ILLEGAL_CONSTRUCTOR", "Use Bio.memory() or Bio.pair()");
  return nullptr;
}

napi_value BioHandle::memory(const Call& call) {
  Delivery* delivery = Delivery::required(call.env);
  return delivery == nullptr ? nullptr
                             : wrap_endpoint(call.env, *delivery, io::BioEndpoint::memory(*delivery->reactor()));
}

napi_value BioHandle::pair(const Call& call) {
  std::uint32_t size = 0;
  if (!call.read(0, "size", size)) return nullptr;
  Delivery* delivery = Delivery::required(call.env);
  if (delivery == nullptr) return nullptr;
  auto [first, second] = io::BioEndpoint::pair(*delivery->reactor(), size);
  napi_value a = wrap_endpoint(call.env, *delivery, std::move(first));
  napi_value b = a == nullptr ? nullptr : wrap_endpoint(call.env, *delivery, std::move(second));
  napi_value array = nullptr;
  if (b == nullptr || napi_create_array_with_length(call.env, 2, &array) != napi_ok) return nullptr;
  napi_set_element(call.env, array, 0, a);
  napi_set_element(call.env, array, 1, b);
  return array;
}

BioHandle::~BioHandle() {
  if (endpoint_ && !delivery_->reactor()->closed()) {
    const io::Turn turn(*delivery_->reactor());
    // Nobody can write or read here any more, which the other end of a pair wants to know.
    if (endpoint_.use_count() == 1) {
      endpoint_->end();
      endpoint_->ignore();
    }
    let_go();
  } else {
    let_go();
  }
}

napi_value BioHandle::write(const Call& call) {
  View bytes;
  if (!call.read(0, "data", bytes)) return nullptr;
  if (!endpoint_ || delivery_->reactor()->closed()) return to_js(call.env, 0);
  const Entry entry(*delivery_);
  return to_js(call.env, endpoint_->write(bytes));
}

napi_value BioHandle::read(const Call& call) {
  std::uint32_t max = 0;
  if (!call.read(0, "max", max)) return nullptr;
  if (!endpoint_ || delivery_->reactor()->closed()) return null(call.env);
  const Entry entry(*delivery_);
  std::vector<std::uint8_t> bytes(std::min<std::size_t>(max, endpoint_->pending()));
  bytes.resize(endpoint_->read(bytes));
  if (bytes.empty() && !endpoint_->at_end()) return null(call.env);
  return to_js(call.env, std::span<const std::uint8_t>(bytes));
}

napi_value BioHandle::end(const Call& call) {
  bool broken = false;
  if (!is_nullish(call.env, call[0]) && !call.read(0, "broken", broken)) return nullptr;
  if (!endpoint_ || delivery_->reactor()->closed()) return undefined(call.env);
  const Entry entry(*delivery_);
  endpoint_->end(broken);
  return undefined(call.env);
}

napi_value BioHandle::pending(const Call& call) {
  return to_js(call.env, endpoint_ ? endpoint_->pending() : std::size_t{0});
}

napi_value BioHandle::ended(const Call& call) { return to_js(call.env, !endpoint_ || endpoint_->ended()); }

napi_value BioHandle::ignore(const Call& call) {
  if (!endpoint_ || delivery_->reactor()->closed()) return undefined(call.env);
  const Entry entry(*delivery_);
  endpoint_->ignore();
  return undefined(call.env);
}

napi_value BioHandle::far_ended(const Call& call) { return to_js(call.env, !endpoint_ || endpoint_->far_ended()); }

napi_value BioHandle::unread(const Call& call) { return to_js(call.env, !endpoint_ || endpoint_->unread()); }

napi_value BioHandle::on_readable(const Call& call) { return set_bell(call, readable_bell_); }
napi_value BioHandle::on_drained(const Call& call) { return set_bell(call, drained_bell_); }

napi_value BioHandle::set_bell(const Call& call, Bell& bell) {
  const bool on = is_function(call.env, call[0]);
  if (!on && !is_nullish(call.env, call[0])) return call.reject("callback", "a function or null"), nullptr;
  if (on && endpoint_) {
    bell.set(call.env, call[0]);
  } else {
    bell.clear();
  }
  if (endpoint_) endpoint_->set_watcher(readable_bell_.armed() || drained_bell_.armed() ? this : nullptr);
  return undefined(call.env);
}

napi_value BioHandle::close(const Call& call) {
  if (delivery_->reactor()->closed()) return undefined(call.env);
  const Entry entry(*delivery_);
  if (endpoint_) {
    endpoint_->end();
    endpoint_->ignore();
  }
  let_go();
  return undefined(call.env);
}

void BioHandle::let_go() {
  if (endpoint_) endpoint_->set_watcher(nullptr);
  readable_bell_.clear();
  drained_bell_.clear();
  endpoint_.reset();
}

bool define_bio(napi_env env, napi_value exports) {
  return define_class<BioHandle>(env, exports,
                                 {
                                     static_method<&BioHandle::memory>("memory"),
                                     static_method<&BioHandle::pair>("pair"),
                                     method<&BioHandle::write>("write"),
                                     method<&BioHandle::read>("read"),
                                     method<&BioHandle::end>("end"),
                                     getter<&BioHandle::pending>("pending"),
                                     getter<&BioHandle::ended>("ended"),
                                     method<&BioHandle::ignore>("ignore"),
                                     getter<&BioHandle::unread>("unread"),
                                     getter<&BioHandle::far_ended>("farEnded"),
                                     method<&BioHandle::on_readable>("onReadable"),
                                     method<&BioHandle::on_drained>("onDrained"),
                                     method<&BioHandle::close>("close"),
                                 });
}

}  // namespace system_tls::binding
