// Kernel TLS: what a connection shares with the socket under it when the kernel may encrypt and decrypt for OpenSSL.
//
// OpenSSL hands the keys over through its BIO, in the middle of the handshake, and gives and takes clear records from
// then on. The BIO stays ours, so that it still never refuses a byte (see EncSide); the controls that concern the
// kernel go on to a socket BIO of OpenSSL's own, which knows how to speak to it.
#pragma once

#include <cstdint>

#include "engine/fifo.h"
#include "engine/wire/enc_in.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

// The socket's own transport.
class KtlsSocket {
 public:
  virtual ~KtlsSocket() = default;
  // Sends as much of `out` as goes without waiting.
  virtual void flush(ByteQueue& out) = 0;
  // Has the kernel send what it keeps for more to come.
  virtual void push() = 0;
};

class Ktls {
 public:
  // `socket`: BIO_s_socket(3), which does not own its descriptor.
  explicit Ktls(openssl::BioPtr socket) : socket_(std::move(socket)) {}
  // Null between two reactors.
  void attach(KtlsSocket* transport) { transport_ = transport; }

  // What the kernel does: BIO_get_ktls_send(3), BIO_get_ktls_recv(3).
  bool sends() const { return sends_; }
  bool receives() const { return receives_; }
  bool active() const { return sends_ || receives_; }

  // For the BIO.
  long control(int command, long number, void* pointer, ByteQueue& out);
  // After a sendfile(2) that was refused for lack of room: Linux may hold the record before it back, to send it with
  // the next one, and then has no room for the next one as long as it holds it back.
  void push() const {
    if (transport_ != nullptr) transport_->push();
  }
  void wrote(std::size_t count);
  // As a BIO reads: 1, or 0 or -1 with the retry flags of `bio` set.
  int read(BIO* bio, std::span<std::uint8_t> to, std::size_t* count, EncIn& in);

  // Until it is known who decrypts, and for good if the kernel does, OpenSSL reads from the socket itself, no more than
  // it needs: what we had read ahead, the kernel could not decrypt any more. So many bytes it may take this turn.
  bool reads_socket() const { return reads_socket_; }
  void let_read(std::size_t most) { allowance_ = most; }
  bool readable() const { return reads_socket_ && allowance_ != 0; }
  std::size_t allowance() const { return allowance_; }
  // errno of a read that failed, or 0.
  int read_error() const { return read_error_; }
  void handshake_complete() { reads_socket_ = receives_; }

  // For the transport: the first bytes of the queue that go out together. `type` 0: as they are; otherwise one record
  // of that content type, which the kernel has to be told of.
  struct Run {
    std::size_t size = 0;
    std::uint8_t type = 0;
  };
  Run next(std::size_t queued);
  void sent(std::size_t count);
  // Sends one record of that content type. As BIO_write(3).
  int send_record(std::uint8_t type, std::span<const std::uint8_t> bytes);
  BIO* socket() const { return socket_.get(); }
  // The socket is going.
  void disconnect() { socket_.reset(); }

 private:
  long start(long sending, void* keys, ByteQueue& out);

  // Counted from the moment when the kernel began to encrypt.
  struct Record {
    std::uint64_t begin = 0;
    std::size_t size = 0;
    std::uint8_t type = 0;
  };

  openssl::BioPtr socket_;
  KtlsSocket* transport_ = nullptr;
  Fifo<Record> records_;  // in the queue, and no application data
  std::uint64_t written_ = 0;
  std::uint64_t sent_ = 0;
  std::size_t allowance_ = 0;
  int read_error_ = 0;
  std::uint8_t next_type_ = 0;
  bool sends_ = false;
  bool receives_ = false;
  bool reads_socket_ = true;
};

}  // namespace system_tls::engine
