#include "openssl/trust/verification.h"

#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include <cstdint>
#include <memory>
#include <string>

#include "openssl/context/attachment.h"
#include "openssl/session/resumption.h"

namespace system_tls::openssl {

namespace {

// Leaves the error where SSL_get_verify_result(3) finds it.
int continue_verification(int, X509_STORE_CTX*) { return 1; }

int obey_verification(int verified, X509_STORE_CTX*) { return verified; }

int last_finding_index() noexcept {
  static const int index = X509_STORE_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool is_name_mismatch(int finding) {
  return finding == X509_V_ERR_HOSTNAME_MISMATCH || finding == X509_V_ERR_EMAIL_MISMATCH ||
         finding == X509_V_ERR_IP_ADDRESS_MISMATCH;
}

// node:tls looks at names last, and only if nothing else is wrong. What is found behind a chain that was cut at the
// depth follows from the cut.
bool is_told_instead_of(int earlier, int finding) {
  if (earlier == X509_V_OK) return true;
  return earlier != X509_V_ERR_CERT_CHAIN_TOO_LONG && !is_name_mismatch(finding);
}

// Goes on, and leaves the finding to be told where verify_to_end() looks: a later call that is content does not take an
// earlier error back.
int note_last(int verified, X509_STORE_CTX* store) {
  if (verified == 1) return 1;
  auto* last = static_cast<int*>(X509_STORE_CTX_get_ex_data(store, last_finding_index()));
  const int finding = X509_STORE_CTX_get_error(store);
  if (is_told_instead_of(*last, finding)) *last = finding;
  return 1;
}

// X509_verify_cert(3) stops at the first finding, unless a callback goes on. Of several node:tls tells the last, whose
// callback goes on, and programs compare it.
int verify_to_end(X509_STORE_CTX* store) {
  int last = X509_V_OK;
  if (X509_STORE_CTX_set_ex_data(store, last_finding_index(), &last) != 1) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
  X509_STORE_CTX_set_verify_cb(store, note_last);
  const int finished = X509_verify_cert(store);
  X509_STORE_CTX_set_ex_data(store, last_finding_index(), nullptr);
  // As libssl without a callback: what could not be carried out was not passed.
  if (finished != 1 || last == X509_V_OK) return finished == 1 ? 1 : 0;
  X509_STORE_CTX_set_error(store, last);
  return 0;
}

int connection_policy_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int session_policy_index() noexcept {
  static const int index = SSL_SESSION_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void free_scope(void*, void* scope, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<std::string*>(scope); }

int session_scope_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_scope);
  return index;
}

// Null: the context's own.
std::string* session_scope_of(const SSL* ssl) {
  return static_cast<std::string*>(SSL_get_ex_data(ssl, session_scope_index()));
}

// The number itself is what OpenSSL keeps and copies: nothing is to be freed.
// NOLINTNEXTLINE(performance-no-int-to-ptr)
void* as_pointer(int number) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(number)); }
int as_number(void* pointer) { return static_cast<int>(reinterpret_cast<std::intptr_t>(pointer)); }

int verify_peer(X509_STORE_CTX* store, void*) {
  const auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  mark_session_of(ssl, SSL_get_session(ssl));
  const Attachment* attachment = attachment_of(SSL_get_SSL_CTX(ssl));
  if (attachment != nullptr && attachment->hooks.verify != nullptr) {
    if (const std::optional<int> decided = attachment->hooks.verify(ssl, store)) return *decided;
  }
  if (!goes_on_unverified(ssl)) return verify_to_end(store);
  return X509_verify_cert(store) == 1 ? 1 : 0;
}

SSL_verify_cb callback_for(bool go_on) { return go_on ? continue_verification : obey_verification; }

}  // namespace

void set_verification(SSL_CTX* context, int mode, bool go_on) {
  SSL_CTX_set_verify(context, mode, callback_for(go_on));
}

void set_verification(SSL* ssl, int mode, bool go_on) { SSL_set_verify(ssl, mode, callback_for(go_on)); }

bool goes_on_unverified(const SSL* ssl) { return SSL_get_verify_callback(ssl) == continue_verification; }

void set_session_policy(SSL* ssl, int policy) { SSL_set_ex_data(ssl, connection_policy_index(), as_pointer(policy)); }

int session_policy_of(const SSL_SESSION* session) {
  return as_number(SSL_SESSION_get_ex_data(session, session_policy_index()));
}

void mark_session(SSL_SESSION* session, int policy) {
  SSL_SESSION_set_ex_data(session, session_policy_index(), as_pointer(policy));
}

void mark_session_of(const SSL* ssl, SSL_SESSION* session) {
  if (session == nullptr || SSL_is_server(ssl) == 1) return;
  const int policy = as_number(SSL_get_ex_data(ssl, connection_policy_index()));
  mark_session(session, policy == 0 ? session_policy::kFirst : policy);
}

void use_verify_hook(SSL_CTX* context) { SSL_CTX_set_cert_verify_callback(context, verify_peer, nullptr); }

bool scope_sessions(SSL* ssl, std::string_view scope) {
  if (std::string* present = session_scope_of(ssl)) {
    *present = scope;
    return true;
  }
  auto made = std::make_unique<std::string>(scope);
  if (SSL_set_ex_data(ssl, session_scope_index(), made.get()) != 1) return false;
  made.release();
  return true;
}

bool separate_sessions(SSL* ssl, int mode, bool go_on, ByteView policy) {
  if (resumes_nothing(ssl)) return true;
  SSL_CTX* context = SSL_get_SSL_CTX(ssl);
  const Attachment* attachment = attachment_of(context);
  if (attachment == nullptr) return true;
  const std::string* scope = session_scope_of(ssl);
  const int depth = SSL_get_verify_depth(ssl);
  const bool as_context = scope == nullptr && policy.empty() && depth == SSL_CTX_get_verify_depth(context) &&
                          mode == SSL_CTX_get_verify_mode(context) &&
                          go_on == (SSL_CTX_get_verify_callback(context) == continue_verification);
  if (as_context) return !has_id_context(ssl) || use_id_context(ssl, attachment->session_id_context);
  Bytes name = attachment->session_id_context;
  name.push_back(static_cast<std::uint8_t>(mode));
  name.push_back(go_on ? 1 : 0);
  for (int shift = 0; shift < 32; shift += 8) name.push_back(static_cast<std::uint8_t>(depth >> shift));
  if (scope != nullptr) {
    name.insert(name.end(), scope->c_str(), scope->c_str() + scope->size() + 1);
    // A context that says nothing of verification leaves it to the first one.
    const Bytes& first = attachment_of(initial_context(ssl))->session_id_context;
    name.insert(name.end(), first.begin(), first.end());
  }
  name.insert(name.end(), policy.begin(), policy.end());
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  return EVP_Digest(name.data(), name.size(), digest, &size, EVP_sha256(), nullptr) == 1 &&
         use_id_context(ssl, ByteView(digest, size));
}

}  // namespace system_tls::openssl
