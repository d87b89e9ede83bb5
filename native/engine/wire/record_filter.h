// DTLS: keeps from OpenSSL what cannot be a valid record, and would end the connection.
//
// RFC 6347 section 4.1.2.7 lets invalid records be discarded, lest anybody who can forge an address ends connections.
// libssl does so where decryption fails, but a record that is too short for an AEAD cipher is a fatal internal_error
// to that of OpenSSL 3.0 (EVP_CTRL_AEAD_TLS1_AAD in tls1_enc()), before it has looked at any key; 3.5 discards it.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace system_tls::engine {

class RecordFilter {
 public:
  // Of `ssl`, which outlives it, or at least calls it no more.
  explicit RecordFilter(const SSL* ssl) : ssl_(ssl) {}

  // Moves the records of `datagram` that may be valid to its front; their size.
  std::size_t admit(std::span<std::uint8_t> datagram);

 private:
  void note_cipher();
  bool version_fits(std::span<const std::uint8_t> record) const;
  std::size_t longest() const;
  std::size_t shortest() const;

  const SSL* ssl_;
  // What the last handshake, or the one under way, has agreed on.
  const SSL_CIPHER* cipher_ = nullptr;
  // What it replaces: while both epochs are alive, the one of some records.
  const SSL_CIPHER* replaced_ = nullptr;
};

}  // namespace system_tls::engine
