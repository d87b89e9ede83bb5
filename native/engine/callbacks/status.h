// The OCSP response that a server has stapled, on a client: SSL_CTX_set_tlsext_status_cb(3). That callback has no
// retry: it waits in an ASYNC job.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/question.h"
#include "openssl/library/bytes.h"

namespace system_tls::engine {

class Connection;

// An answer's result is 1 (go on), or 0: the handshake ends with bad_certificate_status_response.
class StatusSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 7;
  explicit StatusSubject(openssl::Bytes bytes) : Subject(kKind), response(std::move(bytes)) {}

  // DER (RFC 6960); empty: the server has none.
  const openssl::Bytes response;
};

// What a client's server has stapled, in DER; empty: nothing.
openssl::Bytes stapled_response(SSL* ssl);

// As SSL_CTX_set_tlsext_status_cb(3) wants it of a client.
int check_status(Connection& connection);

}  // namespace system_tls::engine
