// OCSP: the response to staple, and the one that was stapled.
#pragma once

#include "binding/questions.h"

namespace system_tls::binding {

napi_value status_request_to_js(napi_env env, const engine::Subject& subject);
bool read_status_request_answer(const Call& call, std::size_t index, engine::Answer& answer);

napi_value status_to_js(napi_env env, const engine::Subject& subject);
bool read_status_answer(const Call& call, std::size_t index, engine::Answer& answer);

}  // namespace system_tls::binding
