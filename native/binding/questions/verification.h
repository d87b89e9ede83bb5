// NativeVerifyReport of types/binding.d.ts, and X509_V_... as its answer.
#pragma once

#include "binding/core/wrap.h"
#include "engine/question.h"

namespace system_tls::binding {

napi_value verification_to_js(napi_env env, const engine::Subject& subject);
bool read_verification_answer(const Call& call, std::size_t index, engine::Answer& answer);

}  // namespace system_tls::binding
