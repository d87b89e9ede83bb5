#include "binding/questions/client_hello.h"

#include <utility>

#include "binding/connection_options.h"
#include "binding/core/options_reader.h"
#include "binding/identity.h"
#include "binding/server_names.h"
#include "engine/callbacks/client_hello.h"

namespace system_tls::binding {

namespace {

void read_handles(napi_env env, OptionsReader& reader, engine::HelloSettings& settings) {
  if (napi_value choice = reader.get("context")) {
    if (!read_context_choice(env, choice, "answer.context", settings.context.emplace()))
      reader.reject("context", "one");
  }
  if (napi_value verification = reader.get("verification")) {
    const auto* options = unwrap<SharedOptionsHandle>(env, verification);
    if (options == nullptr)
      return static_cast<void>(reader.reject("verification", "an instance of NativeSharedOptions"));
    settings.verification = verification_of(options->options()->engine);
  }
  if (napi_value identity = reader.get("identity")) {
    const auto* handle = unwrap<IdentityHandle>(env, identity);
    if (handle == nullptr) return static_cast<void>(reader.reject("identity", "an instance of NativeIdentity"));
    settings.identity = handle->identity();
  }
}

}  // namespace

// NativeClientHello.
napi_value client_hello_to_js(napi_env env, const engine::Subject& subject) {
  const auto& hello = static_cast<const engine::ClientHelloSubject&>(subject);
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return null(env);
  set_property(env, object, "message", to_js(env, hello.message));
  set_property(env, object, "renegotiation", to_js(env, hello.renegotiation));
  return object;
}

// A number is 0, to go on, or an alert.
bool read_client_hello_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t alert = 0;
  if (from_js(call.env, call[index], alert)) {
    answer = engine::Answer::of(alert);
    return true;
  }
  engine::HelloSettings settings;
  OptionsReader reader(call.env, call[index], "answer");
  if (!reader.ok()) return false;
  read_handles(call.env, reader, settings);
  reader.read("minVersion", settings.min_version)
      .read("maxVersion", settings.max_version)
      .read("cipherList", settings.cipher_list)
      .read("ciphersuites", settings.ciphersuites)
      .read("groups", settings.groups)
      .read("alpn", settings.alpn);
  if (!reader.ok()) return false;
  answer.result = [settings = std::move(settings)](SSL* ssl) { return engine::apply_settings(ssl, settings); };
  return true;
}

}  // namespace system_tls::binding
