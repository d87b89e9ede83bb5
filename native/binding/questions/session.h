#pragma once

#include "binding/questions.h"

namespace system_tls::binding {

napi_value session_id_to_js(napi_env env, const engine::Subject& subject);
bool read_session_answer(const Call& call, std::size_t index, engine::Answer& answer);

}  // namespace system_tls::binding
