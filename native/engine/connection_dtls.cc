// What DTLS needs besides: the timer of its handshake, the end of the cookie exchange, messages that stay apart.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <sys/time.h>

#include <algorithm>
#include <string>
#include <utility>

#include "engine/connection.h"

namespace system_tls::engine {

using openssl::FailurePtr;

std::optional<std::chrono::microseconds> Connection::retransmit_in() const {
  timeval left{};
  // While it waits for the answer of a callback nothing else may touch the SSL.
  if (dead() || suspended() || DTLSv1_get_timeout(ssl_.get(), &left) != 1) return std::nullopt;
  return std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
}

// Sends the last flight again, if the time is really over; after a dozen times OpenSSL gives the peer up.
void Connection::retransmit() {
  if (dead() || suspended()) return;
  ERR_clear_error();
  const int result = DTLSv1_handle_timeout(ssl_.get());
  if (result < 0) fail(failure_after(result, "The peer does not answer"));
}

// Takes the ClientHello with the cookie out of the BIO and sets the state up behind the exchange, which others have
// had with the peer. OpenSSL keeps the ClientHello for the handshake, which goes on from there.
Step Connection::listen() {
  ERR_clear_error();
  BIO_ADDR* peer = BIO_ADDR_new();
  const int result = peer == nullptr ? -1 : DTLSv1_listen(ssl_.get(), peer);
  BIO_ADDR_free(peer);
  if (result > 0) {
    dtls_->listening = false;
    return Step::progress;
  }
  // 0: nothing there, or nothing that could be a ClientHello.
  if (result == 0) return enc_.input_waits() ? Step::progress : Step::blocked;
  fail(failure_after(result, "The ClientHello was refused"));
  return Step::progress;
}

// One record: RFC 6347 section 4.1.1. Beyond a given MTU it would not fit into one datagram.
std::size_t Connection::longest_message() const {
  constexpr std::size_t kLongest = SSL3_RT_MAX_PLAIN_LENGTH;
  return dtls_->mtu_given ? std::min(kLongest, DTLS_get_data_mtu(ssl_.get())) : kLongest;
}

FailurePtr Connection::message_refused(std::size_t size) const {
  if (!dtls_ || size <= longest_message()) return nullptr;
  return misuse(SSL_R_DTLS_MESSAGE_TOO_BIG,
                ("A message of DTLS is one record in one datagram, here of at most " +
                 std::to_string(longest_message()) + " bytes, and this one has " + std::to_string(size) + ": divide it")
                    .c_str());
}

}  // namespace system_tls::engine
