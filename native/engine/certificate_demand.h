// A server's request for its client's certificate after the first handshake, by post-handshake authentication (TLS 1.3)
// or a renegotiation: the verify mode meanwhile, and the one afterwards. Knows no SSL: it says which mode to set.
//
// Invariant: a mode that the application has set meanwhile is never changed for one of before.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <optional>

namespace system_tls::engine {

class CertificateDemand {
 public:
  // Never with SSL_VERIFY_CLIENT_ONCE, with which OpenSSL would not ask again.
  static int mode_for(bool required) { return SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0); }

  // Messages.
  void request_sent() { request_ = Request::out; }
  void finished_received() {
    if (request_ == Request::out) request_ = Request::answered;
  }
  // OpenSSL has one out at a time, until conclude().
  bool request_out() const { return request_ != Request::none; }
  bool request_answered() const { return request_ == Request::answered; }

  // Each gives the mode to set. `current`: SSL_get_verify_mode(3). `wanted`: by all who wait for a certificate, or are
  // about to; SSL_VERIFY_NONE if nobody does.
  int demand(int current, int wanted);
  // Somebody waits no longer.
  int reconsider(int current, int wanted);
  // There was an answer, and `wanted` is what those want whom it did not serve.
  int conclude(int current, int wanted, bool shown);

 private:
  enum class Request : std::uint8_t { none, out, answered };
  struct Modes {
    int own;
    int set;
  };

  int restore(int mode);

  Request request_ = Request::none;
  std::optional<Modes> modes_;
};

}  // namespace system_tls::engine
