// NativeBio of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/delivery.h"
#include "binding/core/wrap.h"
#include "io/transports/bio_endpoint.h"

namespace system_tls::binding {

// A function of JavaScript's that is called in a turn of its own, once for any number of rings.
class Bell : public Notified {
 public:
  explicit Bell(Delivery& delivery) : delivery_(delivery) {}
  ~Bell() override { clear(); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  bool armed() const { return callback_ != nullptr; }
  // Keeps the function, and what it refers to, until clear().
  void set(napi_env env, napi_value function);
  void clear();
  void ring() {
    if (armed()) delivery_.notify(this);
  }
  napi_value callback(napi_env env) override;

 private:
  Delivery& delivery_;
  napi_ref callback_ = nullptr;
  napi_env env_ = nullptr;
};

class BioHandle : public io::BioEndpoint::Watcher {
 public:
  static constexpr const char* kName = "NativeBio";
  static constexpr ClassId kClass = ClassId::Bio;

  // JavaScript makes none; memory() and pair() do.
  static std::unique_ptr<BioHandle> construct(const Call& call);
  static napi_value memory(const Call& call);
  static napi_value pair(const Call& call);

  BioHandle(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::BioEndpoint> endpoint)
      : delivery_(std::move(delivery)),
        endpoint_(std::move(endpoint)),
        readable_bell_(*delivery_),
        drained_bell_(*delivery_) {}
  // A finalizer: nothing here runs JavaScript.
  ~BioHandle() override;

  // Null once closed.
  const std::shared_ptr<io::BioEndpoint>& endpoint() const { return endpoint_; }

  napi_value write(const Call& call);
  napi_value read(const Call& call);
  napi_value end(const Call& call);
  napi_value pending(const Call& call);
  napi_value ended(const Call& call);
  napi_value ignore(const Call& call);
  napi_value unread(const Call& call);
  napi_value far_ended(const Call& call);
  napi_value on_readable(const Call& call);
  napi_value on_drained(const Call& call);
  napi_value close(const Call& call);

  void readable() override { readable_bell_.ring(); }
  void drained() override { drained_bell_.ring(); }

 private:
  void let_go();
  napi_value set_bell(const Call& call, Bell& bell);

  std::shared_ptr<Delivery> delivery_;
  std::shared_ptr<io::BioEndpoint> endpoint_;
  Bell readable_bell_;
  Bell drained_bell_;
};

bool define_bio(napi_env env, napi_value exports);

}  // namespace system_tls::binding
