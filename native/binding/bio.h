// NativeBio of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/delivery.h"
#include "binding/wrap.h"
#include "io/bio_endpoint.h"

namespace system_tls::binding {

class BioHandle : public io::BioEndpoint::Watcher, public Notified {
 public:
  static constexpr const char* kName = "NativeBio";
  static constexpr ClassId kClass = ClassId::Bio;

  // JavaScript makes none; memory() and pair() do.
  static std::unique_ptr<BioHandle> construct(const Call& call);
  static napi_value memory(const Call& call);
  static napi_value pair(const Call& call);

  BioHandle(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::BioEndpoint> endpoint)
      : delivery_(std::move(delivery)), endpoint_(std::move(endpoint)) {}
  ~BioHandle() override { let_go(); }

  // Null once closed.
  const std::shared_ptr<io::BioEndpoint>& endpoint() const { return endpoint_; }

  napi_value write(const Call& call);
  napi_value read(const Call& call);
  napi_value end(const Call& call);
  napi_value pending(const Call& call);
  napi_value ended(const Call& call);
  napi_value on_readable(const Call& call);
  napi_value close(const Call& call);

  void readable() override { delivery_->notify(this); }
  napi_value callback(napi_env env) override;

 private:
  void let_go();
  void set_callback(napi_env env, napi_value function);

  std::shared_ptr<Delivery> delivery_;
  std::shared_ptr<io::BioEndpoint> endpoint_;
  // Weak: a BIO that only its own callback knows may be collected.
  napi_ref callback_ = nullptr;
  napi_env env_ = nullptr;
};

bool define_bio(napi_env env, napi_value exports);

}  // namespace system_tls::binding
