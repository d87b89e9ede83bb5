// Registration only: each part of the binding defines its own exports.

#include <napi.h>

#include "binding/bio.h"
#include "binding/connection.h"
#include "binding/connection_options.h"
#include "binding/context.h"
#include "binding/core/delivery.h"
#include "binding/core/environment.h"
#include "binding/core/failure.h"
#include "binding/core/startup.h"
#include "binding/credentials.h"
#include "binding/datagram_socket.h"
#include "binding/file.h"
#include "binding/hashed_names.h"
#include "binding/identity.h"
#include "binding/io_pool.h"
#include "binding/listener.h"
#include "binding/openssl_info.h"
#include "binding/server_names.h"
#include "binding/session.h"
#include "binding/ticket_key_ring.h"

namespace {

namespace binding = system_tls::binding;

// Runs once in every environment: the main thread's and each worker's.
Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  if (!binding::start_or_throw(env)) return exports;
  if (!binding::Environment::create(env)) {
    Napi::Error::New(env, "Node-API refused to keep the environment's data").ThrowAsJavaScriptException();
    return exports;
  }

  binding::define_openssl_info(env, exports);
  // What is left undone leaves its exception pending, and the load fails with it.
  if (!binding::define_failure(env, exports)) return exports;
  if (!binding::define_ticket_key_ring(env, exports)) return exports;
  if (!binding::define_context(env, exports)) return exports;
  if (!binding::define_credentials(env, exports)) return exports;
  if (!binding::define_hashed_names(env, exports)) return exports;
  if (!binding::define_identity(env, exports)) return exports;
  if (!binding::define_session(env, exports)) return exports;
  if (!binding::define_delivery(env, exports)) return exports;
  if (!binding::define_bio(env, exports)) return exports;
  if (!binding::define_io_pool(env, exports)) return exports;
  if (!binding::define_file(env, exports)) return exports;
  if (!binding::define_shared_options(env, exports)) return exports;
  if (!binding::define_server_names(env, exports)) return exports;
  if (!binding::define_connection(env, exports)) return exports;
  if (!binding::define_listener(env, exports)) return exports;
  if (!binding::define_datagram_socket(env, exports)) return exports;
  return exports;
}

}  // namespace

NODE_API_MODULE(system_tls, initialise)
