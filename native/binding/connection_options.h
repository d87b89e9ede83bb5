// NativeConnectionOptions of types/binding.d.ts, and NativeSharedOptions: the same, read once for many connections.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "engine/connection.h"
#include "openssl/context/context_options.h"

namespace system_tls::binding {

struct ConnectionOptions {
  engine::ConnectionOptions engine;
  openssl::Credentials credentials;
};

// False: an exception is pending.
bool read_connection_options(napi_env env, napi_value object, ConnectionOptions& options);

class SharedOptionsHandle {
 public:
  static constexpr const char* kName = "NativeSharedOptions";
  static constexpr ClassId kClass = ClassId::SharedOptions;

  static std::unique_ptr<SharedOptionsHandle> construct(const Call& call);
  explicit SharedOptionsHandle(std::shared_ptr<const ConnectionOptions> options) : options_(std::move(options)) {}

  // What is made of them may be made on another thread.
  const std::shared_ptr<const ConnectionOptions>& options() const { return options_; }

 private:
  const std::shared_ptr<const ConnectionOptions> options_;
};

// False: an exception is pending.
bool define_shared_options(napi_env env, napi_value exports);

}  // namespace system_tls::binding
