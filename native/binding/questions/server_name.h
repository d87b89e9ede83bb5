// The name that a client sends, and NativeContextChoice of types/binding.d.ts or an alert as its answer.
#pragma once

#include "binding/core/wrap.h"
#include "engine/question.h"

namespace system_tls::binding {

napi_value server_name_to_js(napi_env env, const engine::Subject& subject);
bool read_server_name_answer(const Call& call, std::size_t index, engine::Answer& answer);

}  // namespace system_tls::binding
