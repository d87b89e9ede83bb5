#include "engine/callbacks/psk.h"

#include <openssl/objects.h>
#include <openssl/tls1.h>

#include <algorithm>
#include <cstring>

#include "engine/callbacks/hello.h"
#include "engine/connection.h"
#include "engine/job.h"
#include "openssl/library/handles.h"
#include "openssl/session/resumption.h"

namespace system_tls::engine {

namespace {

// Marks a session that stands for such a key, in what SSL_SESSION_set1_ticket_appdata(3) keeps: OpenSSL copies it
// along, and TLS 1.3 has no other place for the identity.
constexpr std::string_view kMark = "system-tls psk:";

// RFC 8446 appendix B.4: the mandatory suite of each hash.
constexpr unsigned char kAes128Sha256[] = {0x13, 0x01};
constexpr unsigned char kAes256Sha384[] = {0x13, 0x02};

bool same(openssl::ByteView left, openssl::ByteView right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

const PresharedKey* find_known(const PskState& state, openssl::ByteView identity) {
  if (state.chosen && same(state.chosen->identity, identity)) return &*state.chosen;
  if (state.known == nullptr) return nullptr;
  const auto found = std::find_if(state.known->begin(), state.known->end(),
                                  [identity](const PresharedKey& each) { return same(each.identity, identity); });
  return found == state.known->end() ? nullptr : &*found;
}

bool is_tls13(const SSL_CIPHER* cipher) { return std::strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0; }

bool suite_has_hash(const SSL_CIPHER* suite, bool sha384) {
  const EVP_MD* digest = SSL_CIPHER_get_handshake_digest(suite);
  return digest != nullptr && EVP_MD_get_size(digest) == (sha384 ? 48 : 32);
}

bool uses_psk(const SSL_CIPHER* cipher) {
  const int exchange = SSL_CIPHER_get_kx_nid(cipher);
  return exchange == NID_kx_psk || exchange == NID_kx_ecdhe_psk || exchange == NID_kx_dhe_psk ||
         exchange == NID_kx_rsa_psk;
}

// Names of the connection's ciphers of one kind, those that are wanted first. Empty: none, or all, are wanted.
template <typename Kind, typename Wanted>
std::string reordered(const SSL* ssl, Kind kind, Wanted wanted) {
  std::string first;
  std::string rest;
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_get_ciphers(ssl);
  for (int index = 0; index < sk_SSL_CIPHER_num(ciphers); ++index) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, index);
    if (!kind(cipher)) continue;
    std::string& list = wanted(cipher) ? first : rest;
    if (!list.empty()) list += ':';
    list += SSL_CIPHER_get_name(cipher);
  }
  if (first.empty() || rest.empty()) return {};
  first += ':';
  first += rest;
  return first;
}

// OpenSSL ignores a key without a word if the suite that it prefers has another hash.
void prefer_hash(SSL* ssl, bool sha384) {
  const std::string suites =
      reordered(ssl, is_tls13, [sha384](const SSL_CIPHER* suite) { return suite_has_hash(suite, sha384); });
  if (!suites.empty()) SSL_set_ciphersuites(ssl, suites.c_str());
}

// The same up to TLS 1.2, if a cipher without keys goes first.
void prefer_psk(SSL* ssl) {
  const std::string list = reordered(
      ssl, [](const SSL_CIPHER* cipher) { return !is_tls13(cipher); }, uses_psk);
  if (!list.empty()) SSL_set_cipher_list(ssl, list.c_str());
}

// With a reference of the caller's. Null: out of memory.
SSL_SESSION* session_of(SSL* ssl, const PresharedKey& key) {
  openssl::SessionPtr session(SSL_SESSION_new());
  const SSL_CIPHER* suite = SSL_CIPHER_find(ssl, key.sha384 ? kAes256Sha384 : kAes128Sha256);
  std::string mark(kMark);
  mark.append(key.identity.begin(), key.identity.end());
  const bool made = session != nullptr && suite != nullptr &&
                    SSL_SESSION_set1_master_key(session.get(), key.key.data(), key.key.size()) == 1 &&
                    SSL_SESSION_set_cipher(session.get(), suite) == 1 &&
                    SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) == 1 &&
                    SSL_SESSION_set1_ticket_appdata(session.get(), mark.data(), mark.size()) == 1;
  return made ? session.release() : nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// What OpenSSL calls

// SSL_set_psk_use_session_callback(3). `digest`: null before the server has chosen; 0 would end the handshake.
int use_session(SSL* ssl, const EVP_MD* digest, const unsigned char** id, std::size_t* size, SSL_SESSION** session) {
  *session = nullptr;
  const PskState& state = *Connection::from(ssl)->psk();
  if (!state.chosen) return 1;
  const PresharedKey& key = *state.chosen;
  if (digest != nullptr && EVP_MD_get_size(digest) != (key.sha384 ? 48 : 32)) return 1;
  *session = session_of(ssl, key);
  *id = key.identity.data();
  *size = key.identity.size();
  return *session == nullptr ? 0 : 1;
}

// SSL_set_psk_find_session_callback(3): 1 and null go on with a full handshake.
int find_session(SSL* ssl, const unsigned char* id, std::size_t size, SSL_SESSION** session) {
  *session = nullptr;
  const PresharedKey* key = find_known(*Connection::from(ssl)->psk(), {id, size});
  if (key == nullptr) return 1;
  *session = session_of(ssl, *key);
  // What is resumed later would be neither verified nor known to have this key.
  SSL_set_num_tickets(ssl, 0);
  return *session == nullptr ? 0 : 1;
}

// How many bytes of the key were written; 0: none.
unsigned give_key(const PresharedKey& key, unsigned char* out, unsigned most) {
  if (key.key.size() > most) return 0;
  std::copy(key.key.begin(), key.key.end(), out);
  return static_cast<unsigned>(key.key.size());
}

// SSL_set_psk_client_callback(3), up to TLS 1.2. With a hint the function is asked once more, where that can wait.
unsigned client_key(SSL* ssl, const char* hint, char* identity, unsigned most_identity, unsigned char* out,
                    unsigned most) {
  // OpenSSL asks for a key of TLS 1.3 here too, if use_session() has none: it would take any for one of SHA-256.
  if (SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO) return 0;
  Connection& connection = *Connection::from(ssl);
  PskState& state = *connection.psk();
  Suspension* suspension = connection.suspension();
  if (connection.may_ask(kAskPsk) && hint != nullptr && *hint != '\0' && in_job() && !suspension->abandoned()) {
    auto subject = std::make_shared<PskSubject>();
    subject->hint = hint;
    connection.ask(std::move(subject));
    if (!answered_in_job(*suspension) || suspension->take(ssl) != 0) return 0;
  }
  if (!state.chosen || state.chosen->identity.size() > most_identity) return 0;
  // A string there, with a byte more for its end.
  std::copy(state.chosen->identity.begin(), state.chosen->identity.end(), identity);
  identity[state.chosen->identity.size()] = '\0';
  return give_key(*state.chosen, out, most);
}

// SSL_set_psk_server_callback(3), up to TLS 1.2. 0: the alert unknown_psk_identity.
unsigned server_key(SSL* ssl, const char* identity, unsigned char* out, unsigned most) {
  Connection& connection = *Connection::from(ssl);
  // OpenSSL calls this in TLS 1.3 too, for what find_session() does not know.
  if (identity == nullptr || connection.tls13()) return 0;
  PskState& state = *connection.psk();
  const std::string_view text(identity);
  const openssl::Bytes name(text.begin(), text.end());
  if (const PresharedKey* known = find_known(state, name)) return give_key(*known, out, most);
  Suspension* suspension = connection.suspension();
  if (!connection.may_ask(kAskPsk) || suspension->abandoned()) return 0;
  auto subject = std::make_shared<PskSubject>();
  subject->identities.push_back(name);
  connection.ask(std::move(subject));
  if (!answered_in_job(*suspension) || suspension->take(ssl) != 0) return 0;
  return state.chosen && same(state.chosen->identity, name) ? give_key(*state.chosen, out, most) : 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// A server, at the ClientHello

// RFC 8446 section 4.2.11: each identity has an age of four bytes behind it. What the server has made itself is left
// out.
std::vector<openssl::Bytes> offered_identities(const Connection& connection) {
  std::vector<openssl::Bytes> found;
  SSL* ssl = connection.ssl();
  const openssl::ByteView extension = hello_extension(ssl, TLSEXT_TYPE_psk);
  if (extension.size() < 2) return found;
  openssl::ByteView list = extension.subspan(2);
  list = list.first(std::min(list.size(), openssl::two_bytes(extension)));
  constexpr std::size_t kMost = 16;
  while (list.size() > 6 && found.size() < kMost) {
    const std::size_t size = openssl::two_bytes(list);
    if (list.size() < size + 6) break;
    const openssl::ByteView identity = list.subspan(2, size);
    const bool own = openssl::is_own_ticket(ssl, identity) ||
                     (connection.external_sessions() && size == SSL_MAX_SSL_SESSION_ID_LENGTH);
    if (!own) found.emplace_back(identity.begin(), identity.end());
    list = list.subspan(size + 6);
  }
  return found;
}

}  // namespace

int decide_psk(Connection& connection) {
  PskState* state = connection.psk();
  if (state == nullptr || connection.hello()->again) return 0;
  SSL* ssl = connection.ssl();
  if (!connection.hello()->tls13) return prefer_psk(ssl), 0;
  // With it, a server without a certificate prefers the suites of SHA-256, whatever the order (ssl3_choose_cipher()).
  SSL_set_psk_server_callback(ssl, nullptr);
  Suspension* suspension = connection.suspension();
  if (suspension != nullptr && suspension->answered()) {
    const int result = suspension->take(ssl);
    if (state->chosen) prefer_hash(ssl, state->chosen->sha384);
    return result;
  }
  std::vector<openssl::Bytes> identities = offered_identities(connection);
  for (const openssl::Bytes& identity : identities) {
    const PresharedKey* known = find_known(*state, identity);
    if (known == nullptr) continue;
    prefer_hash(ssl, known->sha384);
    return 0;
  }
  if (identities.empty() || !connection.may_ask(kAskPsk)) return 0;
  auto subject = std::make_shared<PskSubject>();
  subject->identities = std::move(identities);
  connection.ask(std::move(subject));
  return kStageWaits;
}

PskChoice choose_psk(Connection& connection) {
  PskState& state = *connection.psk();
  if (connection.server() || state.asked) return PskChoice::made;
  Suspension* suspension = connection.suspension();
  if (!connection.may_ask(kAskPsk)) {
    state.asked = true;
    if (state.known != nullptr && !state.known->empty()) keep_psk(connection.ssl(), state.known->front());
    return PskChoice::made;
  }
  if (suspension->answered()) {
    state.asked = true;
    return suspension->take(connection.ssl()) == 0 ? PskChoice::made : PskChoice::failed;
  }
  connection.ask(std::make_shared<PskSubject>());
  suspension->leave_before(Suspension::Call::handshake);
  return PskChoice::waits;
}

int keep_psk(SSL* ssl, const PresharedKey& key) {
  Connection& connection = *Connection::from(ssl);
  connection.psk()->chosen = key;
  if (connection.server()) return 0;
  prefer_hash(ssl, key.sha384);
  if (SSL_in_before(ssl) != 0) prefer_psk(ssl);
  return 0;
}

openssl::Bytes psk_identity(const SSL* ssl) {
  if (const char* identity = SSL_get_psk_identity(ssl)) {
    const std::string_view text(identity);
    return {text.begin(), text.end()};
  }
  void* data = nullptr;
  std::size_t size = 0;
  SSL_SESSION* session = SSL_get_session(ssl);
  if (session == nullptr || SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1) return {};
  const std::string_view text(static_cast<const char*>(data), size);
  if (!text.starts_with(kMark)) return {};
  const std::string_view identity = text.substr(kMark.size());
  return {identity.begin(), identity.end()};
}

bool psk_used(const SSL* ssl) { return !psk_identity(ssl).empty(); }

void Connection::prepare_psk(const ConnectionOptions& options) {
  if (options.psks == nullptr && !may_ask(kAskPsk)) return;
  psk_ = std::make_unique<PskState>();
  psk_->known = options.psks;
  psk_->required = options.psk_required;
  SSL* ssl = ssl_.get();
  if (server_) {
    SSL_set_psk_find_session_callback(ssl, find_session);
    SSL_set_psk_server_callback(ssl, server_key);
    if (!options.psk_hint.empty()) SSL_use_psk_identity_hint(ssl, options.psk_hint.c_str());
  } else {
    SSL_set_psk_use_session_callback(ssl, use_session);
    SSL_set_psk_client_callback(ssl, client_key);
  }
}

openssl::FailurePtr Connection::psk_missing() const {
  if (!psk_ || !psk_->required || psk_used(ssl_.get())) return nullptr;
  return openssl::named_failure("ERR_TLS_PSK_REQUIRED",
                                "The handshake used no pre-shared key, which this connection requires (pskRequired): "
                                "the peer has no such identity, or prefers a certificate");
}

}  // namespace system_tls::engine
