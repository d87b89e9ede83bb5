#include "openssl/session/resumption.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "openssl/context/attachment.h"
#include "openssl/library/handles.h"
#include "openssl/session/ticket_app_data.h"
#include "openssl/session/ticket_keys.h"
#include "openssl/trust/verification.h"

namespace system_tls::openssl {

namespace {

void free_cipher_list(STACK_OF(SSL_CIPHER) * list) { sk_SSL_CIPHER_free(list); }

constexpr std::string_view kDefaultIdContext = "system-tls";

// Of one connection that differs from its context.
struct IdContext {
  std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH> bytes{};
  unsigned size = 0;
  bool unique = false;
};

void free_id_context(void*, void* id_context, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<IdContext*>(id_context);
}

int id_context_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_id_context);
  return index;
}

IdContext* id_context_of(const SSL* ssl) noexcept {
  return static_cast<IdContext*>(SSL_get_ex_data(ssl, id_context_index()));
}

IdContext* make_id_context(SSL* ssl) {
  if (IdContext* present = id_context_of(ssl)) return present;
  auto made = std::make_unique<IdContext>();
  if (SSL_set_ex_data(ssl, id_context_index(), made.get()) != 1) return nullptr;
  return made.release();
}

// OpenSSL gives a session the id context when it begins, before the peer was verified, and copies it into all that come
// of it: the tickets that follow a post-handshake authentication would carry the policy of the first handshake.
void label(const SSL* ssl, SSL_SESSION* session) {
  if (const IdContext* own = id_context_of(ssl)) {
    SSL_SESSION_set1_id_context(session, own->bytes.data(), own->size);
  }
  label_with_app_data(ssl, session);
}

// SSL_CTX_set_session_ticket_cb(3): before the ticket is made. The session is the connection's alone then, but for one
// up to TLS 1.2 that was resumed, which others may read in the cache, and which was not verified anew.
int on_ticket(SSL* ssl, void*) {
  if (SSL_version(ssl) == TLS1_3_VERSION || SSL_session_reused(ssl) == 0) label(ssl, SSL_get_session(ssl));
  return 1;
}

// TLS 1.3 needs no entry for a ticket that carries the session itself; ssl_update_cache() in ssl_lib.c decides alike.
bool belongs_in_cache(const SSL* ssl) {
  const std::uint64_t options = SSL_get_options(ssl);
  if (SSL_version(ssl) != TLS1_3_VERSION || (options & SSL_OP_NO_TICKET) != 0) return true;
  return SSL_get_max_early_data(ssl) > 0 && (options & SSL_OP_NO_ANTI_REPLAY) == 0;
}

// OpenSSL's own store would also take every session of a client, to which nobody would ever look up; so it is off, and
// servers' sessions are added here.
int on_new_session(SSL* ssl, SSL_SESSION* session) {
  SSL_CTX* context = initial_context(ssl);
  const Attachment* attachment = attachment_of(context);
  const bool external = attachment != nullptr && attachment->hooks.external_sessions != nullptr &&
                        attachment->hooks.external_sessions(ssl);
  if (SSL_is_server(ssl) == 1 && belongs_in_cache(ssl)) {
    label(ssl, session);
    // One of a pre-shared key would outlive the key.
    if (!external && SSL_get_psk_identity(ssl) == nullptr) SSL_CTX_add_session(context, session);
  }
  // Of an anonymous peer nothing was verified.
  if (session_policy_of(session) == session_policy::kUnknown) mark_session_of(ssl, session);
  if (attachment == nullptr || attachment->hooks.new_session == nullptr) return 0;
  return attachment->hooks.new_session(ssl, session);
}

SSL_SESSION* on_lookup(SSL* ssl, const unsigned char* id, int size, int* copy) {
  // The reference is the hook's own, and not the callback's to count.
  *copy = 0;
  const Attachment* attachment = attachment_of(initial_context(ssl));
  if (attachment == nullptr || attachment->hooks.find_session == nullptr) return nullptr;
  return attachment->hooks.find_session(ssl, {id, static_cast<std::size_t>(size)});
}

// The security level may come from an option, from @SECLEVEL among the ciphers, or from openssl.cnf. Empty: no memory.
Bytes default_id_context(const SSL_CTX* context, const Bytes& policy) {
  // Without any, OpenSSL fails the resumption of a verified client instead of making a new session.
  Bytes source(kDefaultIdContext.begin(), kDefaultIdContext.end());
  source.push_back(static_cast<std::uint8_t>(SSL_CTX_get_security_level(context)));
  source.insert(source.end(), policy.begin(), policy.end());
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  const bool done = EVP_Digest(source.data(), source.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1;
  digest.resize(done ? size : 0);
  return digest;
}

FailurePtr apply_id_context(SSL_CTX* context, const ContextOptions& options) {
  const Bytes id =
      options.session_id_context ? *options.session_id_context : default_id_context(context, options.session_policy);
  if (id.size() > SSL_MAX_SID_CTX_LENGTH) {
    return named_failure("ERR_INVALID_ARG_VALUE", "sessionIdContext has " + std::to_string(id.size()) +
                                                      " bytes; OpenSSL keeps at most " +
                                                      std::to_string(SSL_MAX_SID_CTX_LENGTH));
  }
  if (id.empty() || SSL_CTX_set_session_id_context(context, id.data(), static_cast<unsigned int>(id.size())) != 1) {
    return openssl_failure("sessionIdContext is refused");
  }
  if (Attachment* attachment = attachment_of(context)) attachment->session_id_context = id;
  return nullptr;
}

bool offers(SSL* ssl, const SSL_CIPHER* wanted) {
  const Owned<STACK_OF(SSL_CIPHER), free_cipher_list> offered(SSL_get1_supported_ciphers(ssl));
  for (int index = 0; index < sk_SSL_CIPHER_num(offered.get()); ++index) {
    if (SSL_CIPHER_get_id(sk_SSL_CIPHER_value(offered.get(), index)) == SSL_CIPHER_get_id(wanted)) return true;
  }
  return false;
}

}  // namespace

bool is_own_ticket(const SSL* ssl, ByteView identity) {
  const Attachment* attachment = attachment_of(initial_context(ssl));
  if (attachment == nullptr || identity.size() <= TicketKey::kNameSize) return false;
  if (attachment->ticket_keys == nullptr) return false;
  const std::shared_ptr<const TicketKeys> keys = attachment->ticket_keys->keys();
  return keys != nullptr && keys->find(identity.data()).key != nullptr;
}

// The session is the connection's own copy; this marks it as not resumable, which the client heeds.
void withhold_session(SSL* ssl) {
  SSL_SESSION* session = SSL_get_session(ssl);
  if (session != nullptr && SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION) {
    SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl), session);
  }
}

// RFC 5246 section 7.4.1.2: who offers a session must offer its cipher. OpenSSL's client does not look, and the server
// ends the handshake, or the connection.
void withhold_session_of_other_ciphers(SSL* ssl) {
  SSL_SESSION* session = SSL_get_session(ssl);
  if (session == nullptr || SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION) return;
  const SSL_CIPHER* cipher = SSL_SESSION_get0_cipher(session);
  if (cipher == nullptr || offers(ssl, cipher)) return;
  withhold_session(ssl);
}

bool has_id_context(const SSL* ssl) { return id_context_of(ssl) != nullptr; }

bool resumes_nothing(const SSL* ssl) {
  const IdContext* own = id_context_of(ssl);
  return own != nullptr && own->unique;
}

bool use_id_context(SSL* ssl, ByteView id_context) {
  IdContext* own = id_context.size() <= SSL_MAX_SID_CTX_LENGTH ? make_id_context(ssl) : nullptr;
  if (own == nullptr) return false;
  const auto size = static_cast<unsigned>(id_context.size());
  if (SSL_set_session_id_context(ssl, id_context.data(), size) != 1) return false;
  std::copy(id_context.begin(), id_context.end(), own->bytes.begin());
  own->size = size;
  return true;
}

// mod_ssl's way. SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION also keeps OpenSSL from issuing a ticket, for which a
// client with GnuTLS 3.7 waits in vain if it was given one before.
FailurePtr resume_nothing(SSL* ssl) {
  const ErrorScope scope;
  std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH> unique{};
  if (RAND_bytes(unique.data(), static_cast<int>(unique.size())) == 1 && use_id_context(ssl, unique)) {
    id_context_of(ssl)->unique = true;
    return nullptr;
  }
  return openssl_failure("The connection could not be kept from resuming a session");
}

FailurePtr apply_resumption(SSL_CTX* context, const ContextOptions& options) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_BOTH | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context, on_new_session);
  SSL_CTX_sess_set_get_cb(context, on_lookup);
  if (SSL_CTX_set_session_ticket_cb(context, on_ticket, nullptr, nullptr) != 1) {
    return openssl_failure("the context cannot be made");
  }
  if (FailurePtr failure = apply_id_context(context, options)) return failure;
  if (options.session_timeout) SSL_CTX_set_timeout(context, *options.session_timeout);
  if (options.ticket_count && SSL_CTX_set_num_tickets(context, *options.ticket_count) != 1) {
    return openssl_failure("ticketCount is refused");
  }
  return apply_ticket_keys(context, options.ticket_keys);
}

}  // namespace system_tls::openssl
