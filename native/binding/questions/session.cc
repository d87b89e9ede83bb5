#include "binding/questions/session.h"

#include "binding/session.h"
#include "engine/callbacks/session_lookup.h"

namespace system_tls::binding {

napi_value session_id_to_js(napi_env env, const engine::Subject& subject) {
  return to_js(env, static_cast<const engine::SessionSubject&>(subject).id);
}

// A number is 0: there is none.
bool read_session_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t none = 0;
  if (from_js(call.env, call[index], none)) {
    answer = engine::Answer::of(none);
    return true;
  }
  const auto* handle = handle_argument<SessionHandle>(call, index, "answer");
  if (handle == nullptr) return false;
  answer.result = [session = handle->session()](SSL* ssl) {
    const openssl::SessionPtr copy = session->for_connection();
    return copy ? engine::keep_session(ssl, copy.get()) : 0;
  };
  return true;
}

}  // namespace system_tls::binding
