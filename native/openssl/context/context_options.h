// What a context is made of: NativeContextOptions of types/binding.d.ts, field by field.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "openssl/library/bytes.h"
#include "openssl/session/ticket_keys.h"

namespace system_tls::openssl {

// Certificates or CRLs, and what messages call them: "cert[0]", "certFile '/etc/server.pem'".
struct NamedInput {
  std::string name;
  Bytes data;
};

// A key or a PKCS #12 bundle.
struct SealedInput {
  std::string name;
  SecretBytes data;
  std::optional<SecretBytes> passphrase;
};

// What OSSL_STORE_open_ex(3) opens: "file:", or the scheme of a provider that is loaded, such as "pkcs11:".
struct StoreInput {
  std::string name;
  std::string uri;
  std::optional<SecretBytes> passphrase;
};

// Who somebody is: certificates with their chains, and keys.
struct Credentials {
  std::vector<NamedInput> cert;
  std::vector<SealedInput> key;
  std::vector<SealedInput> pfx;
  std::vector<StoreInput> cert_uri;
  std::vector<StoreInput> key_uri;
};

// The sides that a context is for: TLS_method(3), TLS_server_method(3), TLS_client_method(3).
enum class Sides { both, server, client };

// Which certificates of a chain must not be on their issuer's list.
enum class CrlCheck { leaf, chain };

struct ContextOptions {
  Sides sides = Sides::both;
  // DTLS_method(3) and the like instead.
  bool dtls = false;
  // 0 leaves what the library and openssl.cnf say.
  int min_version = 0;
  int max_version = 0;
  std::optional<int> security_level;
  std::optional<std::string> cipher_list;
  std::optional<std::string> ciphersuites;
  std::optional<std::string> sigalgs;
  std::optional<std::string> client_sigalgs;
  std::optional<std::string> groups;
  std::optional<Bytes> dhparam;
  bool dh_auto = false;

  Credentials credentials;

  std::vector<NamedInput> ca;
  std::optional<std::string> ca_file;
  std::optional<std::string> ca_path;
  bool system_ca = false;
  // Each trusted certificate ends a chain, whoever has issued it.
  bool partial_chain = false;
  std::vector<NamedInput> crl;
  // Absent: the whole chain if there is a crl, else nothing.
  std::optional<CrlCheck> crl_check;
  std::optional<std::vector<NamedInput>> client_ca;
  // Clients: whose certificates the server is told that they accept.
  std::vector<NamedInput> authorities;
  int verify_mode = SSL_VERIFY_NONE;
  std::optional<int> verify_depth;
  // The handshake goes on whatever verification finds; the result stays to be read.
  bool verify_continue = false;

  // RFC 7301's wire format.
  std::optional<Bytes> alpn;

  std::optional<Bytes> session_id_context;
  // If no id context is given: what it is made of, beside what only the finished context tells.
  Bytes session_policy;
  std::optional<std::int32_t> session_timeout;
  // Null: random keys.
  std::shared_ptr<const TicketKeySource> ticket_keys;
  std::optional<std::uint32_t> ticket_count;

  std::uint64_t secure_options = 0;
  bool honor_cipher_order = false;
  bool allow_client_renegotiation = false;
  bool quiet_shutdown = false;
  std::optional<std::uint32_t> max_send_fragment;
};

}  // namespace system_tls::openssl
