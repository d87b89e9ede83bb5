#include "engine/callbacks/verification.h"

#include <utility>

#include "engine/connection.h"
#include "engine/job.h"

namespace system_tls::engine {

namespace {

// SSL_VERIFY_NONE ignores an answer, and nobody has given one. libssl reads the mode after the callback has returned.
void insist_on_answer(SSL* ssl) { SSL_set_verify(ssl, SSL_VERIFY_PEER, SSL_get_verify_callback(ssl)); }

int conclude(Connection& connection, X509_STORE_CTX* store) {
  Suspension& suspension = *connection.suspension();
  openssl::X509StackPtr chain = std::move(static_cast<VerificationSubject&>(*suspension.subject()).chain);
  const int result = suspension.take(connection.ssl());
  if (suspension.failed() != 0) insist_on_answer(connection.ssl());
  if (chain) X509_STORE_CTX_set0_verified_chain(store, chain.release());
  // Also where an error is overruled: the result would contradict the outcome.
  X509_STORE_CTX_set_error(store, result);
  return result == X509_V_OK ? 1 : 0;
}

int refuse(SSL* ssl, X509_STORE_CTX* store) {
  insist_on_answer(ssl);
  X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
  return 0;
}

}  // namespace

int verify_by_asking(Connection& connection, X509_STORE_CTX* store) {
  Suspension& suspension = *connection.suspension();
  if (suspension.abandoned()) return refuse(connection.ssl(), store);
  // A retry: the whole callback is called again.
  if (suspension.answered()) return conclude(connection, store);
  auto subject = std::make_shared<VerificationSubject>();
  if (!openssl::examine(store, subject->report)) return 0;
  if (!connection.server()) subject->chain.reset(X509_STORE_CTX_get1_chain(store));
  connection.ask(std::move(subject));
  if (!connection.server()) return SSL_set_retry_verify(connection.ssl());
  return answered_in_job(suspension) ? conclude(connection, store) : refuse(connection.ssl(), store);
}

}  // namespace system_tls::engine
