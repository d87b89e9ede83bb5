// What the handshakes of a connection have settled, as a value that any thread may read.
//
// The connection's thread makes it; Connection::negotiated_version() says when another one is due. Certificates and the
// context are shared with the SSL by reference: OpenSSL changes neither once a handshake has put them there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "openssl/library/bytes.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

class Connection;

struct Negotiated {
  // SSL_get_finished(3); empty before the handshake.
  struct Finished {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> bytes{};
    std::size_t size = 0;
    openssl::ByteView view() const { return {bytes.data(), size}; }
  };

  // SSL_get_shared_sigalgs(3): numbers of OBJ_nid2obj(3).
  struct SignatureAlgorithm {
    int key = NID_undef;
    int hash = NID_undef;
  };

  // Names and the cipher are static, or live as long as `context`.
  const char* version = "unknown";
  const SSL_CIPHER* cipher = nullptr;
  const char* group = nullptr;
  std::optional<std::string> alpn;
  std::optional<std::string> servername;
  bool session_reused = false;
  int security_level = 0;
  long verify_result = X509_V_OK;
  std::uint32_t renegotiations = 0;
  bool quiet_shutdown = false;
  // Of the pre-shared key that was used; empty: none.
  openssl::Bytes psk_identity;
  // Of the context in use: Connection::context_tag().
  std::int32_t context_tag = 0;
  // The peer's own certificate, and the chain as SSL_get_peer_cert_chain(3) has it: on a server without that one.
  openssl::X509Ptr peer_certificate;
  openssl::X509StackPtr peer_chain;
  // From the peer's own certificate to the root. Null: it was not verified in this connection, or was found wrong.
  openssl::X509StackPtr verified_chain;
  bool server = false;
  openssl::X509Ptr certificate;
  // In use now.
  openssl::SslContextPtr context;
  // SSL_get0_peer_CA_list(3): DER, one behind the other. A peer may send thousands of names, and few ask for the text.
  openssl::Bytes peer_ca_list;
  std::vector<SignatureAlgorithm> shared_sigalgs;
  // SSL_get_peer_tmp_key(3); null where the last handshake has used none, or OpenSSL gives none.
  openssl::PkeyPtr peer_temporary_key;
  // Stapled by a server, on a client that asked (RFC 6066 section 8), in DER; empty: none.
  openssl::Bytes ocsp_response;
  Finished finished;
  Finished peer_finished;
};

Negotiated negotiated_by(const Connection& connection);

// DER, leaf first.
std::vector<openssl::Bytes> peer_chain_of(const Negotiated& negotiated);
std::vector<openssl::Bytes> verified_chain_of(const Negotiated& negotiated);
// Names as node:tls has them: "RSA-PSS+SHA256".
std::vector<std::string> shared_sigalgs_of(const Negotiated& negotiated);

struct EphemeralKey {
  const char* type = nullptr;
  std::string name;  // empty: a Diffie-Hellman key, by whatever parameters
  int bits = 0;
};
std::optional<EphemeralKey> ephemeral_key_of(const Negotiated& negotiated);

// SSL_get0_peer_CA_list(3), as text.
std::vector<std::string> peer_ca_list_of(const Negotiated& negotiated);
// SSL_get_client_CA_list(3), likewise.
std::vector<std::string> client_ca_list_of(const Negotiated& negotiated);

}  // namespace system_tls::engine
