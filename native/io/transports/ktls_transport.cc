#include "io/transports/ktls_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "openssl/library/init.h"

namespace system_tls::io {

using engine::Ktls;
using openssl::FailurePtr;
using openssl::system_failure;

namespace {

// 0, or errno. Done again it is EEXIST: whoever had the socket before may have done it.
int prepare([[maybe_unused]] int fd) {
#ifdef TCP_ULP
  static constexpr char kName[] = "tls";
  if (::setsockopt(fd, IPPROTO_TCP, TCP_ULP, kName, sizeof kName) != 0 && errno != EEXIST) return errno;
#endif
  return 0;
}

void forget_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

}  // namespace

std::string KtlsTransport::refused(int fd) {
  if (!openssl::has_ktls()) return "this OpenSSL was built without kernel TLS";
  const int error = prepare(fd);
  if (error == 0) return {};
  if (error == ENOENT) return "this kernel has no TLS, or its module is not loaded (Linux: modprobe tls)";
  return "the kernel does not take this socket for TLS, only connected TCP (" + std::generic_category().message(error) +
         ")";
}

std::unique_ptr<KtlsTransport> KtlsTransport::open(Reactor& reactor, Fd& fd, bool sole, TransportOwner& owner,
                                                   std::shared_ptr<Ktls> ktls, FailurePtr& failure) {
  if (!ktls) {
    openssl::BioPtr socket(BIO_new_socket(fd.get(), BIO_NOCLOSE));
    if (!socket) {
      failure = openssl::openssl_failure("The connection's BIO could not be made");
      return nullptr;
    }
    ktls = std::make_shared<Ktls>(std::move(socket));
  }
  std::unique_ptr<KtlsTransport> transport(new KtlsTransport(owner, sole));
  if (!transport->start(reactor, fd, failure)) return nullptr;
  ktls->attach(transport.get());
  transport->ktls_ = std::move(ktls);
  return transport;
}

// The socket BIO stays with the connection: it remembers what it gave the kernel.
Fd KtlsTransport::release_fd() {
  ktls_->attach(nullptr);
  ktls_.reset();
  return SocketTransport::release_fd();
}

KtlsTransport::~KtlsTransport() {
  if (ktls_) ktls_->disconnect();
}

Moved KtlsTransport::send(engine::ByteQueue& out) {
  Moved moved;
  // Linux remembers a record that it could not decrypt as the error of the next call, which is that of our alert.
  if (ktls_->read_error() != 0) forget_error(fd());
  while (!out.empty()) {
    const Ktls::Run run = ktls_->next(out.size());
    Moved part = run.type == 0 ? send_some(out, run.size) : send_record(out, run);
    ktls_->sent(part.bytes);
    moved.bytes += part.bytes;
    moved.failure = std::move(part.failure);
    if (moved.failure || part.bytes < run.size) break;
  }
  return moved;
}

// An alert, a session ticket: rare, so copying it together is no loss.
Moved KtlsTransport::send_record(engine::ByteQueue& out, const Ktls::Run& run) {
  std::vector<std::uint8_t> bytes;
  out.for_each([&](std::span<const std::uint8_t> piece) {
    const auto part = piece.first(std::min(piece.size(), run.size - bytes.size()));
    bytes.insert(bytes.end(), part.begin(), part.end());
    return bytes.size() < run.size;
  });
  Moved moved;
  errno = 0;
  const int sent = ktls_->send_record(run.type, bytes);
  if (sent > 0) {
    moved.bytes = static_cast<std::size_t>(sent);
    out.consume(moved.bytes);
  } else if (BIO_should_retry(ktls_->socket()) == 0) {
    moved.failure = system_failure(errno, "write");
  }
  return moved;
}

// tcp(7): a cork that is taken out lets everything go, although there was none. Nagle's algorithm stays as it is.
void KtlsTransport::push() {
#ifdef TCP_CORK
  const int off = 0;
  ::setsockopt(fd(), IPPROTO_TCP, TCP_CORK, &off, sizeof off);
#endif
}

// What is not sent yet stays unsent, since control records would have to be told from data. recv(2) stops at a control
// record of the kernel's, and what follows it is not read.
void KtlsTransport::linger(Reactor& reactor, const engine::ByteQueue&, const Linger& how) {
  engine::ChunkPool none;
  SocketTransport::linger(reactor, engine::ByteQueue(none), how);
}

}  // namespace system_tls::io
