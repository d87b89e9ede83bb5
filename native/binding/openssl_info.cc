#include "binding/openssl_info.h"

#include <string>

#include "binding/core/startup.h"
#include "openssl/library/init.h"
#include "openssl/library/isolation.h"
#include "openssl/library/providers.h"

namespace system_tls::binding {
namespace {

Napi::Object features_object(Napi::Env env) {
  const openssl::Features features = openssl::library_features();
  Napi::Object object = Napi::Object::New(env);
  object.Set("tls13", features.tls13);
  object.Set("dtls", features.dtls);
  object.Set("ktls", features.ktls);
  object.Set("async", features.async);
  object.Set("certificateCompression", features.certificate_compression);
  object.Set("rawPublicKeys", features.raw_public_keys);
  object.Set("quic", features.quic);
  object.Set("quicServer", features.quic_server);
  object.Set("mlkem", features.mlkem);
  object.Set("ech", features.ech);
  object.Set("engines", features.engines);
  object.Set("fips", features.fips);
  return object;
}

Napi::Value openssl_info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const openssl::LibraryInfo library = openssl::library_info();
  const openssl::IsolationReport& report = openssl::isolation();
  Napi::Object info = Napi::Object::New(env);
  info.Set("version", library.version);
  info.Set("versionNumber", static_cast<double>(library.version_number));
  info.Set("headerVersion", library.header_version);
  info.Set("libssl", report.libssl);
  info.Set("libcrypto", report.libcrypto);
  info.Set("directory", library.directory);
  info.Set("modulesDirectory", library.modules_directory);
  info.Set("isolated", report.isolated);
  info.Set("provokedError", openssl::reason_text(report.error_seen));
  info.Set("features", features_object(env));
  return info;
}

void load_provider(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  if (call.Length() < 1 || !call[0].IsString()) {
    Napi::TypeError::New(env, "the provider's name must be a string").ThrowAsJavaScriptException();
    return;
  }
  const openssl::MaybeRefusal refusal = openssl::load_provider(call[0].As<Napi::String>().Utf8Value());
  if (refusal) refusal_error(env, *refusal).ThrowAsJavaScriptException();
}

Napi::Value openssl_setup(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Array providers = Napi::Array::New(env);
  for (const std::string& name : openssl::active_providers()) providers.Set(providers.Length(), name);
  Napi::Object setup = Napi::Object::New(env);
  setup.Set("configFile", openssl::default_config_file());
  setup.Set("providers", providers);
  return setup;
}

}  // namespace

void define_openssl_info(Napi::Env env, Napi::Object exports) {
  exports.Set("opensslInfo", Napi::Function::New<openssl_info>(env, "opensslInfo"));
  exports.Set("opensslSetup", Napi::Function::New<openssl_setup>(env, "opensslSetup"));
  exports.Set("loadProvider", Napi::Function::New<load_provider>(env, "loadProvider"));
}

}  // namespace system_tls::binding
