#include "binding/questions/verification.h"

#include "engine/callbacks/verification.h"

namespace system_tls::binding {

// Flat, since there may be many: see NativeVerifyReport.
napi_value verification_to_js(napi_env env, const engine::Subject& subject) {
  const openssl::VerifyReport& report = static_cast<const engine::VerificationSubject&>(subject).report;
  napi_value object = nullptr;
  napi_value certificates = nullptr;
  napi_value findings = nullptr;
  if (napi_create_object(env, &object) != napi_ok || napi_create_array(env, &certificates) != napi_ok ||
      napi_create_array(env, &findings) != napi_ok) {
    return nullptr;
  }
  std::uint32_t index = 0;
  for (const openssl::Bytes& der : report.certificates) napi_set_element(env, certificates, index++, to_js(env, der));
  index = 0;
  for (const openssl::VerifyFinding& finding : report.findings) {
    for (const int number : {finding.certificate, finding.depth, finding.error}) {
      napi_set_element(env, findings, index++, to_js(env, number));
    }
  }
  set_property(env, object, "certificates", certificates);
  set_property(env, object, "chainLength", to_js(env, report.chain_length));
  set_property(env, object, "findings", findings);
  return object;
}

bool read_verification_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t result = X509_V_OK;
  if (!call.read(index, "answer", result)) return false;
  answer = engine::Answer::of(result);
  return true;
}

}  // namespace system_tls::binding
