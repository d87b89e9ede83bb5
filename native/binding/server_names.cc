#include "binding/server_names.h"

#include <string>
#include <vector>

#include "binding/connection_options.h"
#include "binding/context.h"
#include "binding/core/options_reader.h"

namespace system_tls::binding {

namespace {

bool read_choice(napi_env env, OptionsReader& reader, engine::ContextChoice& choice) {
  const auto* context = unwrap<ContextHandle>(env, reader.get("context"));
  if (context == nullptr) return reader.reject("context", "an instance of NativeContext"), false;
  choice.context = context->context();
  reader.read("tag", choice.tag);
  napi_value verification = reader.get("verification");
  if (verification == nullptr) return reader.ok();
  const auto* options = unwrap<SharedOptionsHandle>(env, verification);
  if (options == nullptr) return reader.reject("verification", "an instance of NativeSharedOptions"), false;
  choice.verification = verification_of(options->options()->engine);
  return reader.ok();
}

// Null, if there is none.
bool read_base(napi_env env, OptionsReader& reader, std::shared_ptr<const engine::ServerNames>& base) {
  napi_value value = reader.get("base");
  if (value == nullptr) return reader.ok();
  const auto* handle = unwrap<ServerNamesHandle>(env, value);
  if (handle == nullptr) return reader.reject("base", "an instance of NativeServerNames"), false;
  base = handle->names();
  return true;
}

}  // namespace

engine::ContextChoice::Verification verification_of(const engine::ConnectionOptions& options) {
  const bool asks = (options.asks & engine::kAskVerification) != 0;
  return {options.verify_mode, options.verify_continue, asks, options.session_policy};
}

bool read_context_choice(napi_env env, napi_value object, const char* path, engine::ContextChoice& choice) {
  OptionsReader reader(env, object, path);
  return reader.ok() && read_choice(env, reader, choice);
}

std::unique_ptr<ServerNamesHandle> ServerNamesHandle::construct(const Call& call) {
  OptionsReader reader(call.env, call[0], "options");
  std::shared_ptr<const engine::ServerNames> base;
  if (!read_base(call.env, reader, base)) return nullptr;
  auto names = std::make_shared<engine::ServerNames>(base);
  std::vector<std::string> removed;
  reader.read("asks", names->asks).read("rejects", names->rejects).read("removed", removed);
  for (const std::string& pattern : removed) names->remove(pattern);
  reader.objects("names", [&](OptionsReader& entry) {
    std::string pattern;
    engine::ContextChoice choice;
    entry.read("pattern", pattern);
    if (read_choice(call.env, entry, choice)) names->add(pattern, std::move(choice));
  });
  return reader.ok() ? std::make_unique<ServerNamesHandle>(std::move(names)) : nullptr;
}

bool define_server_names(napi_env env, napi_value exports) { return define_class<ServerNamesHandle>(env, exports, {}); }

}  // namespace system_tls::binding
