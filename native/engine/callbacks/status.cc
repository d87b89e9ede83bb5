#include "engine/callbacks/status.h"

#include <memory>

#include "engine/connection.h"
#include "engine/job.h"

namespace system_tls::engine {

namespace {

constexpr int kFailed = -1;  // internal_error

}  // namespace

openssl::Bytes stapled_response(SSL* ssl) {
  const unsigned char* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
  return size <= 0 ? openssl::Bytes() : openssl::Bytes(response, response + size);
}

// Of a resumed session nothing is stapled, and nothing was verified anew.
int check_status(Connection& connection) {
  if (!connection.may_ask(kAskStatus) || SSL_session_reused(connection.ssl()) == 1) return 1;
  Suspension& suspension = *connection.suspension();
  if (suspension.abandoned()) return kFailed;
  connection.ask(std::make_shared<StatusSubject>(stapled_response(connection.ssl())));
  return answered_in_job(suspension) ? suspension.take(connection.ssl()) : kFailed;
}

}  // namespace system_tls::engine
