#include "binding/questions.h"

#include <array>

#include "binding/questions/certificate.h"
#include "binding/questions/client_hello.h"
#include "binding/questions/protocol.h"
#include "binding/questions/psk.h"
#include "binding/questions/server_name.h"
#include "binding/questions/session.h"
#include "binding/questions/status.h"
#include "binding/questions/verification.h"
#include "engine/callbacks/alpn.h"
#include "engine/callbacks/certificate.h"
#include "engine/callbacks/client_hello.h"
#include "engine/callbacks/psk.h"
#include "engine/callbacks/server_names.h"
#include "engine/callbacks/session_lookup.h"
#include "engine/callbacks/status.h"
#include "engine/callbacks/verification.h"

namespace system_tls::binding {

namespace {

struct Kind {
  std::int32_t number;
  napi_value (*to_js)(napi_env env, const engine::Subject& subject);
  bool (*read_answer)(const Call& call, std::size_t index, engine::Answer& answer);
};

constexpr std::array kKinds{
    Kind{engine::VerificationSubject::kKind, verification_to_js, read_verification_answer},
    Kind{engine::ServerNameSubject::kKind, server_name_to_js, read_server_name_answer},
    Kind{engine::ClientHelloSubject::kKind, client_hello_to_js, read_client_hello_answer},
    Kind{engine::ProtocolSubject::kKind, protocol_to_js, read_protocol_answer},
    Kind{engine::CertificateSubject::kKind, certificate_to_js, read_certificate_answer},
    Kind{engine::StatusRequestSubject::kKind, status_request_to_js, read_status_request_answer},
    Kind{engine::StatusSubject::kKind, status_to_js, read_status_answer},
    Kind{engine::PskSubject::kKind, psk_to_js, read_psk_answer},
    Kind{engine::SessionSubject::kKind, session_id_to_js, read_session_answer},
};

const Kind* kind_of(std::int32_t number) {
  for (const Kind& kind : kKinds) {
    if (kind.number == number) return &kind;
  }
  return nullptr;
}

}  // namespace

napi_value question_to_js(napi_env env, const engine::Subject& subject) {
  const Kind* kind = kind_of(subject.kind());
  return kind == nullptr ? null(env) : kind->to_js(env, subject);
}

bool read_answer(const Call& call, std::size_t index, std::int32_t number, engine::Answer& answer) {
  const Kind* kind = kind_of(number);
  if (kind != nullptr) return kind->read_answer(call, index, answer);
  call.reject("kind", "one of QuestionKind");
  return false;
}

}  // namespace system_tls::binding
