#include "binding/questions/protocol.h"

#include <utility>

#include "engine/callbacks/alpn.h"

namespace system_tls::binding {

napi_value protocol_to_js(napi_env env, const engine::Subject& subject) {
  return to_js(env, static_cast<const engine::ProtocolSubject&>(subject).offered);
}

// A number is an alert; bytes are a protocol, none of them no protocol of those that were offered.
bool read_protocol_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t alert = 0;
  if (from_js(call.env, call[index], alert)) {
    answer = engine::Answer::of(alert);
    return true;
  }
  View protocol;
  if (!call.read(index, "answer", protocol)) return false;
  answer.result = [name = openssl::Bytes(protocol.begin(), protocol.end())](SSL* ssl) {
    return engine::note_protocol(ssl, name);
  };
  return true;
}

}  // namespace system_tls::binding
