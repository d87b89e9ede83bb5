// NativeServerNames and NativeContextChoice of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "engine/callbacks/server_names.h"
#include "engine/connection_options.h"

namespace system_tls::binding {

// False: an exception is pending. `path` is what messages call it.
bool read_context_choice(napi_env env, napi_value object, const char* path, engine::ContextChoice& choice);

// What options say about it.
engine::ContextChoice::Verification verification_of(const engine::ConnectionOptions& options);

class ServerNamesHandle {
 public:
  static constexpr const char* kName = "NativeServerNames";
  static constexpr ClassId kClass = ClassId::ServerNames;

  static std::unique_ptr<ServerNamesHandle> construct(const Call& call);
  explicit ServerNamesHandle(std::shared_ptr<const engine::ServerNames> names) : names_(std::move(names)) {}

  const std::shared_ptr<const engine::ServerNames>& names() const { return names_; }

 private:
  const std::shared_ptr<const engine::ServerNames> names_;
};

// False: an exception is pending.
bool define_server_names(napi_env env, napi_value exports);

}  // namespace system_tls::binding
