#include "binding/bio.h"

#include <algorithm>
#include <vector>

#include "binding/failure.h"

namespace system_tls::binding {

namespace {

napi_value wrap_endpoint(napi_env env, Delivery& delivery, std::shared_ptr<io::BioEndpoint> endpoint) {
  if (!endpoint) return throw_failure(env, openssl::openssl_failure("The BIO could not be made"));
  return new_instance<BioHandle>(env, std::make_unique<BioHandle>(delivery.shared_from_this(), std::move(endpoint)));
}

}  // namespace

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
  if (!endpoint_ || delivery_->reactor()->closed()) return undefined(call.env);
  const Entry entry(*delivery_);
  endpoint_->end();
  return undefined(call.env);
}

napi_value BioHandle::pending(const Call& call) {
  return to_js(call.env, endpoint_ ? endpoint_->pending() : std::size_t{0});
}

napi_value BioHandle::ended(const Call& call) { return to_js(call.env, !endpoint_ || endpoint_->ended()); }

napi_value BioHandle::on_readable(const Call& call) {
  const bool on = is_function(call.env, call[0]);
  if (!on && !is_nullish(call.env, call[0])) return call.reject("callback", "a function or null"), nullptr;
  set_callback(call.env, on ? call[0] : nullptr);
  if (endpoint_) endpoint_->set_watcher(on ? this : nullptr);
  return undefined(call.env);
}

void BioHandle::set_callback(napi_env env, napi_value function) {
  env_ = env;
  if (callback_ != nullptr) napi_delete_reference(env_, std::exchange(callback_, nullptr));
  if (function != nullptr) napi_create_reference(env, function, 1, &callback_);
}

napi_value BioHandle::callback(napi_env env) {
  napi_value function = nullptr;
  if (callback_ == nullptr || napi_get_reference_value(env, callback_, &function) != napi_ok) return nullptr;
  return function;
}

napi_value BioHandle::close(const Call& call) {
  if (delivery_->reactor()->closed()) return undefined(call.env);
  const Entry entry(*delivery_);
  if (endpoint_) endpoint_->end();
  let_go();
  return undefined(call.env);
}

void BioHandle::let_go() {
  delivery_->forget(this);
  if (endpoint_) endpoint_->set_watcher(nullptr);
  if (callback_ != nullptr) napi_delete_reference(env_, std::exchange(callback_, nullptr));
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
                                     method<&BioHandle::on_readable>("onReadable"),
                                     method<&BioHandle::close>("close"),
                                 });
}

}  // namespace system_tls::binding
