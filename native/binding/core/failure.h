// openssl::Failure as JavaScript sees it.
#pragma once

#include <node_api.h>

#include "openssl/library/failure.h"

namespace system_tls::binding {

// The NativeFailure of types/binding.d.ts. Null when nothing can run any more.
napi_value failure_to_object(napi_env env, const openssl::Failure& failure);

// The Error that lib/errors/errors.ts makes of it; before setDispatch(), a plain one with the code and the message.
// Null: the factory itself threw, and that exception is pending.
napi_value failure_to_error(napi_env env, const openssl::Failure& failure);

// Always null, so that a callback can return it.
napi_value throw_failure(napi_env env, const openssl::FailurePtr& failure);

// Registers verifyResultText().
bool define_failure(napi_env env, napi_value exports);

}  // namespace system_tls::binding
