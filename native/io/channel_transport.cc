// What a channel speaks over: a socket, with or without kernel TLS, or BIOs; and its way from one reactor to another.
#include <memory>
#include <string>
#include <utility>

#include "io/channel.h"
#include "io/transports/bio_transport.h"
#include "io/transports/datagram_bio_transport.h"
#include "io/transports/datagram_transport.h"
#include "io/transports/ktls_transport.h"
#include "io/transports/socket_transport.h"

namespace system_tls::io {

using openssl::FailurePtr;

void Channel::leave() {
  // A paused job goes on on its own thread or nowhere.
  if (connection_ && connection_->uses_job()) connection_->fail(engine::Connection::suspended_failure());
  if (transport_) {
    tickets_due_ = true;
    flush();
    travelling_sole_ = transport_->sole();
    travelling_fd_ = transport_->release_fd();
    transport_.reset();
  }
  retransmission_.reset();
  note_activity(false);
  note_job();
  waits_for_delivery_ = false;
  deferred_ = false;
  budgets_of_ = 0;
  waits_for_job_ = false;
  fill_batch_ = 0;
  last_read_batch_ = 0;
  arrived_in_ = 0;
  reactor_->forget(this);
  move_out();
}

void Channel::join(std::shared_ptr<Reactor> reactor) {
  reactor_ = std::move(reactor);
  published_.reset();
  move_in();
  if (!connection_) return;
  connection_->use_pool(reactor_->chunks());
  if (travelling_fd_) {
    FailurePtr failure = connection_->enc().ktls ? set_ktls_socket(travelling_fd_, travelling_sole_)
                                                 : set_plain_socket(travelling_fd_, travelling_sole_);
    if (failure) connection_->fail(std::move(failure));
  }
  pump();
}

FailurePtr Channel::transport_refused() const {
  if (!connection_) return openssl::named_failure("ERR_TLS_CLOSED", "The connection is closed");
  if (connection_->dead()) return connection_->failure();
  return transport_ ? has_transport_failure() : nullptr;
}

FailurePtr Channel::has_transport_failure() {
  return openssl::named_failure("ERR_TLS_HAS_TRANSPORT",
                                "The connection has its file descriptor or BIOs already: make a new Ssl");
}

FailurePtr Channel::set_socket(Fd& fd, bool sole) {
  if (connection_->ktls_wanted() && !connection_->dtls()) {
    std::string refused = KtlsTransport::refused(fd.get());
    if (refused.empty()) return set_ktls_socket(fd, sole);
    ktls_refused_ = std::make_unique<const std::string>(std::move(refused));
  }
  return set_plain_socket(fd, sole);
}

FailurePtr Channel::set_plain_socket(Fd& fd, bool sole) {
  FailurePtr failure;
  if (connection_->dtls()) {
    transport_ = DatagramTransport::open(*reactor_, fd, *this, connection_->enc().datagrams, failure);
  } else {
    transport_ = SocketTransport::open(*reactor_, fd, sole, *this, failure);
  }
  if (transport_) pump();
  return failure;
}

FailurePtr Channel::set_ktls_socket(Fd& fd, bool sole) {
  FailurePtr failure;
  auto transport = KtlsTransport::open(*reactor_, fd, sole, *this, connection_->enc().ktls, failure);
  if (!transport) return failure;
  if (!connection_->enc().ktls) connection_->use_ktls(transport->ktls());
  transport_ = std::move(transport);
  pump();
  return nullptr;
}

KernelTls Channel::no_kernel_tls() { return {false, false, "it was not asked for (option ktls)"}; }

KernelTls Channel::kernel_tls() const {
  if (!connection_->ktls_wanted()) return no_kernel_tls();
  if (ktls_refused_) return {false, false, *ktls_refused_};
  const engine::Ktls* ktls = connection_->enc().ktls.get();
  if (ktls == nullptr) return {false, false, "only a TCP socket can have it"};
  if (!connection_->established()) return {false, false, "the handshake is not complete"};
  KernelTls state{ktls->sends(), ktls->receives(), {}};
  if (state.sends && state.receives) return state;
  const SSL* ssl = connection_->ssl();
  state.reason = std::string("the kernel, or OpenSSL ") + OpenSSL_version(OPENSSL_VERSION_STRING) + ", does not " +
                 (state.sends ? "receive" : "send") + (state.sends == state.receives ? " or receive " : " ") +
                 SSL_get_version(ssl) + " with " + SSL_get_cipher_name(ssl);
  return state;
}

FailurePtr Channel::set_bios(std::shared_ptr<BioEndpoint> read, std::shared_ptr<BioEndpoint> write) {
  if (connection_->dtls()) {
    transport_ = std::make_unique<DatagramBioTransport>(std::move(read), std::move(write), weak_from_this(),
                                                        connection_->enc().datagrams);
  } else {
    transport_ = std::make_unique<BioTransport>(std::move(read), std::move(write), weak_from_this());
  }
  pump();
  return nullptr;
}

}  // namespace system_tls::io
