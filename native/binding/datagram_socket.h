// connectDatagram() of types/binding.d.ts.
#pragma once

#include <node_api.h>

namespace system_tls::binding {

bool define_datagram_socket(napi_env env, napi_value exports);

}  // namespace system_tls::binding
