// The ciphertext side of a connection: what arrived and OpenSSL has not taken yet, and what it made and is not sent
// yet.
#pragma once

#include <memory>

#include "engine/wire/byte_queue.h"
#include "engine/wire/datagrams.h"
#include "engine/wire/enc_in.h"
#include "engine/wire/ktls.h"

namespace system_tls::engine {

struct EncSide {
  explicit EncSide(ChunkPool& pool) : in(pool), out(pool) {}
  EncIn in;
  // Never refuses: a BIO that refuses bytes in the middle of a handshake message kills the connection at the next read.
  // Backpressure acts before SSL_write and SSL_read, by this queue's size.
  ByteQueue out;
  // Our close_notify is out, and nothing may follow it (RFC 8446 6.1), or the sending half is broken: what OpenSSL
  // makes all the same goes nowhere.
  bool muted = false;
  // Set on a socket whose kernel may take the keys; shared with its transport.
  std::shared_ptr<Ktls> ktls;
  // Set for DTLS; shared with the transport.
  std::shared_ptr<Datagrams> datagrams;

  // Bytes are here, or may be had from the socket itself.
  bool input_waits() const { return in.readable() || (ktls && ktls->readable()); }
  void drop_output() {
    out.clear();
    if (datagrams) datagrams->clear();
  }
  // True: OpenSSL may take so much from the socket itself, and nobody else may read there.
  bool let_read(std::size_t most) {
    if (!ktls || !ktls->reads_socket()) return false;
    ktls->let_read(most);
    return true;
  }
};

}  // namespace system_tls::engine
