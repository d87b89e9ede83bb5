#include "binding/core/startup.h"

#include <uv.h>

#include <string>

#include "openssl/library/init.h"
#include "openssl/library/refusal.h"

namespace system_tls::binding {
namespace {

struct UvSize {
  const char* name;
  size_t compiled;
  size_t running;
};

// libuv promises a stable ABI within its major version; a structure that grew all the same would corrupt memory.
openssl::MaybeRefusal check_uv_sizes() {
  const UvSize sizes[] = {
      {"uv_loop_t", sizeof(uv_loop_t), uv_loop_size()},
      {"uv_async_t", sizeof(uv_async_t), uv_handle_size(UV_ASYNC)},
      {"uv_check_t", sizeof(uv_check_t), uv_handle_size(UV_CHECK)},
      {"uv_idle_t", sizeof(uv_idle_t), uv_handle_size(UV_IDLE)},
      {"uv_poll_t", sizeof(uv_poll_t), uv_handle_size(UV_POLL)},
      {"uv_prepare_t", sizeof(uv_prepare_t), uv_handle_size(UV_PREPARE)},
      {"uv_tcp_t", sizeof(uv_tcp_t), uv_handle_size(UV_TCP)},
      {"uv_timer_t", sizeof(uv_timer_t), uv_handle_size(UV_TIMER)},
  };
  for (const UvSize& size : sizes) {
    if (size.compiled == size.running) continue;
    return openssl::Refusal{"ERR_SYSTEM_TLS_UV_MISMATCH",
                            std::string(size.name) + " has " + std::to_string(size.running) +
                                " bytes in this node's libuv " + uv_version_string() + " and " +
                                std::to_string(size.compiled) + " in libuv " + std::to_string(UV_VERSION_MAJOR) + "." +
                                std::to_string(UV_VERSION_MINOR) + ", for which the addon was compiled",
                            "", "build the addon with this node's headers: npm rebuild --build-from-source"};
  }
  return std::nullopt;
}

}  // namespace

Napi::Error refusal_error(Napi::Env env, const openssl::Refusal& refusal) {
  std::string message = refusal.cause;
  if (!refusal.cure.empty()) message += ". To cure it: " + refusal.cure + ".";
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", refusal.code);
  error.Set("reason", refusal.cause);
  if (!refusal.culprit.empty()) error.Set("culprit", refusal.culprit);
  if (!refusal.cure.empty()) error.Set("cure", refusal.cure);
  return error;
}

bool start_or_throw(Napi::Env env) {
  openssl::MaybeRefusal refusal = openssl::start();
  if (!refusal) refusal = check_uv_sizes();
  if (!refusal) return true;
  refusal_error(env, *refusal).ThrowAsJavaScriptException();
  return false;
}

}  // namespace system_tls::binding
