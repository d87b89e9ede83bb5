// Questions of the handshake and their answers, as JavaScript has them. A kind is one entry in questions.cc, and a file
// in binding/questions.
#pragma once

#include <cstdint>

#include "binding/core/wrap.h"
#include "engine/question.h"

namespace system_tls::binding {

// The payload of an event Question. Null: an exception is pending.
napi_value question_to_js(napi_env env, const engine::Subject& subject);

// What answer() is called with for a question of this kind. False: an exception is pending.
bool read_answer(const Call& call, std::size_t index, std::int32_t kind, engine::Answer& answer);

}  // namespace system_tls::binding
