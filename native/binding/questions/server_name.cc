#include "binding/questions/server_name.h"

#include <utility>

#include "binding/server_names.h"

namespace system_tls::binding {

napi_value server_name_to_js(napi_env env, const engine::Subject& subject) {
  return to_js(env, static_cast<const engine::ServerNameSubject&>(subject).name);
}

// A number is 0, for the context that the connection began with, or an alert.
bool read_server_name_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t alert = 0;
  if (from_js(call.env, call[index], alert)) {
    answer = engine::Answer::of(alert);
    return true;
  }
  engine::ContextChoice choice;
  if (!read_context_choice(call.env, call[index], "answer", choice)) return false;
  answer.result = [choice = std::move(choice)](SSL* ssl) { return engine::switch_context(ssl, choice); };
  return true;
}

}  // namespace system_tls::binding
