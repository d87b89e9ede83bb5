#include "engine/certificate_demand.h"

namespace system_tls::engine {

int CertificateDemand::demand(int current, int wanted) {
  if (!modes_ || modes_->set != current) modes_ = Modes{current, current};
  return modes_->set = wanted;
}

// A HelloRequest leads to a handshake all the same, which asks for nothing then. A CertificateRequest is answered all
// the same: by a certificate, which is held to the same rules as any other, or by none, which only the connection's own
// mode may refuse.
int CertificateDemand::reconsider(int current, int wanted) {
  if (!modes_) return current;
  if (current != modes_->set) return restore(current);
  if (wanted != SSL_VERIFY_NONE) return modes_->set = wanted;
  if (request_out()) return modes_->set = SSL_VERIFY_PEER | (modes_->own & SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
  return restore(modes_->own);
}

// Who has shown a certificate is asked for it again in a renegotiation, or it would be gone; unless once is enough.
int CertificateDemand::conclude(int current, int wanted, bool shown) {
  request_ = Request::none;
  if (!modes_ || !shown || current != modes_->set) return reconsider(current, wanted);
  return restore(current | (modes_->own & (SSL_VERIFY_CLIENT_ONCE | SSL_VERIFY_POST_HANDSHAKE)));
}

int CertificateDemand::restore(int mode) {
  modes_.reset();
  return mode;
}

}  // namespace system_tls::engine
