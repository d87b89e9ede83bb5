// A socket whose kernel may encrypt and decrypt: the records that OpenSSL does not make any more are made from what is
// sent here, so that control records have to be told from data. Belongs to the reactor's thread, as all transports.
#pragma once

#include <memory>
#include <string>

#include "engine/wire/ktls.h"
#include "io/transports/socket_transport.h"

namespace system_tls::io {

class KtlsTransport : public SocketTransport, public engine::KtlsSocket {
 public:
  // Prepares the socket (TCP_ULP, on Linux). Not empty: why neither library nor kernel nor socket can, for the user.
  static std::string refused(int fd);
  // As SocketTransport::open(). Without the preparation it is a socket that OpenSSL reads from by itself. `ktls`: of
  // the same descriptor, on the reactor that it comes from; null if it comes from nowhere.
  static std::unique_ptr<KtlsTransport> open(Reactor& reactor, Fd& fd, bool sole, TransportOwner& owner,
                                             std::shared_ptr<engine::Ktls> ktls, openssl::FailurePtr& failure);
  ~KtlsTransport() override;

  const std::shared_ptr<engine::Ktls>& ktls() const { return ktls_; }
  Moved send(engine::ByteQueue& out) override;
  engine::EncSource* source() override { return nullptr; }
  void linger(Reactor& reactor, const engine::ByteQueue& out, const Linger& how) override;
  Fd release_fd() override;

  // engine::KtlsSocket
  void flush(engine::ByteQueue& out) override { send(out); }
  void push() override;

 private:
  using SocketTransport::SocketTransport;
  Moved send_record(engine::ByteQueue& out, const engine::Ktls::Run& run);

  std::shared_ptr<engine::Ktls> ktls_;
};

}  // namespace system_tls::io
