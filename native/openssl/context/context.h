// SSL_CTX(3): what connections have in common. Frozen once made but for the ticket keys, which have a lock, so any
// thread may use it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "openssl/context/context_options.h"
#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::openssl {

// What the connection layer wants to be told. All run on the thread of the connection, inside a call to OpenSSL.
struct ContextHooks {
  // SSL_CTX_set_keylog_callback(3), from the first start_keylog() on.
  void (*keylog)(const SSL* ssl, const char* line) = nullptr;
  // SSL_CTX_sess_set_new_cb(3), for both sides: 1 keeps the reference to the session that the call brings.
  int (*new_session)(SSL* ssl, SSL_SESSION* session) = nullptr;
  // SSL_CTX_set_cert_verify_callback(3). Nothing: X509_verify_cert(3) decides.
  std::optional<int> (*verify)(const SSL* ssl, X509_STORE_CTX* store) = nullptr;
  // SSL_CTX_set_cookie_verify_cb(3), for DTLS: 1 if the ClientHello carries the right one.
  int (*verify_cookie)(SSL* ssl, const unsigned char* cookie, unsigned int size) = nullptr;
  // SSL_CTX_set_client_hello_cb(3): the same on every context, since after a change OpenSSL goes on with that of the
  // other.
  int (*client_hello)(SSL* ssl, int* alert, void* argument) = nullptr;
  // SSL_CTX_set_tlsext_servername_callback(3), from acknowledge_names() on.
  int (*server_name)(SSL* ssl, int* alert, void* argument) = nullptr;
  // SSL_CTX_set_alpn_select_cb(3). Nothing: the context's list decides. Empty: none of `offered` will do.
  std::optional<ByteView> (*protocol)(const SSL* ssl, ByteView offered) = nullptr;
  // SSL_CTX_sess_set_get_cb(3): with a reference of the caller's. Null: there is none.
  SSL_SESSION* (*find_session)(const SSL* ssl, ByteView id) = nullptr;
  // Whether a server's sessions are kept by the application alone.
  bool (*external_sessions)(const SSL* ssl) = nullptr;
  // SSL_CTX_set_tlsext_status_cb(3), on both sides.
  int (*status)(SSL* ssl, void* argument) = nullptr;
};

class Context;

struct ContextResult {
  std::shared_ptr<const Context> context;
  FailurePtr failure;  // set if and only if there is no context
};

class Context {
 public:
  // Reads caFile and caPath itself; nothing else touches the file system, and nothing ever asks on the terminal.
  static ContextResult create(const ContextOptions& options, const ContextHooks& hooks);

  // SSL_new(3). Connections come from here alone: a session belongs to the cache of the context that its connection
  // began with, even if SNI has changed it since, and this is where that context is noted. Null: see the error queue.
  SslPtr new_ssl(bool server) const;

  SSL_CTX* get() const noexcept { return context_.get(); }

  // SSL_CTX_get_ciphers(3), by OpenSSL's names.
  std::vector<std::string> ciphers() const;
  // The key that new tickets get: TicketKey::kSize bytes. Empty: see the error queue.
  SecretBytes ticket_keys() const;
  // For every ticket that is made or opened from now on, also by connections that there are.
  void set_ticket_keys(std::shared_ptr<const TicketKeySource> source) const;
  // See TicketKeySlot.
  void keep_tickets() const;
  // SSL_CTX_get0_certificate(3) as DER; empty if there is none.
  Bytes certificate() const;

  explicit Context(SslContextPtr context) noexcept : context_(std::move(context)) {}

 private:
  SslContextPtr context_;
};

// Makes OpenSSL write key log lines for the connections of the context that `ssl` uses. It is not so from the
// beginning, since it writes every byte of every secret with sprintf(3), 5 % of a handshake, whether or not anybody
// wants to hear. On any thread, also while others are in their handshakes: the pointer is set to one value and never
// taken away, and OpenSSL looks at it for each line.
void start_keylog(const SSL* ssl);

}  // namespace system_tls::openssl
