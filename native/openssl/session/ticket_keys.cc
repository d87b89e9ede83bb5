#include "openssl/session/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "openssl/context/attachment.h"

namespace system_tls::openssl {

namespace {

// What OpenSSL's callback answers.
enum Answer : int { kFailed = -1, kUnknown = 0, kKnown = 1, kRenew = 2 };

Answer seal(const TicketKeys& keys, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
            EVP_MAC_CTX* mac) {
  return keys.newest().seal(name, vector, cipher, mac) ? kKnown : kFailed;
}

Answer open(bool renews, const TicketKeys& keys, const unsigned char* name, const unsigned char* vector,
            EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  const TicketKeys::Found found = keys.find(name);
  if (found.key == nullptr) return kUnknown;
  if (!found.key->open(vector, cipher, mac)) return kFailed;
  return found.renew || renews ? kRenew : kKnown;
}

// SSL_CTX_set_tlsext_ticket_key_evp_cb(3). OpenSSL takes the callback of the context that the connection began with, so
// the keys are those of that context too.
int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                  int encrypts) {
  // A session of a pre-shared key would outlive the key: an empty ticket (RFC 5077 section 3.3).
  constexpr int kNoTicket = 0;
  if (encrypts == 1 && SSL_get_psk_identity(ssl) != nullptr) return kNoTicket;
  const Attachment* attachment = attachment_of(initial_context(ssl));
  if (attachment == nullptr || attachment->ticket_keys == nullptr) return kFailed;
  const std::shared_ptr<const TicketKeys> keys = attachment->ticket_keys->keys();
  if (keys == nullptr) return kFailed;
  if (encrypts == 1) return seal(*keys, name, vector, cipher, mac);
  // In TLS 1.3 a ticket is good for one connection, and kKnown would leave the client without a new one.
  const bool renews = SSL_version(ssl) == TLS1_3_VERSION && !attachment->ticket_keys->keeps_tickets();
  return open(renews, *keys, name, vector, cipher, mac);
}

std::shared_ptr<const TicketKeySource> own_keys(SSL_CTX* context) {
  SecretBytes bytes(TicketKey::kSize);
  if (SSL_CTX_get_tlsext_ticket_keys(context, bytes.data(), TicketKey::kSize) != 1) return nullptr;
  return std::make_shared<const FixedTicketKeys>(TicketKey(std::move(bytes)));
}

}  // namespace

bool TicketKey::is_named(const unsigned char* name) const noexcept {
  // The name is no secret: every ticket begins with it.
  return std::equal(name, name + kNameSize, bytes_.begin());
}

bool TicketKey::seal(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const {
  const EVP_CIPHER* const type = EVP_aes_256_cbc();
  if (RAND_bytes(vector, EVP_CIPHER_get_iv_length(type)) != 1) return false;
  std::copy_n(bytes_.begin(), kNameSize, name);
  return EVP_EncryptInit_ex(cipher, type, nullptr, cipher_key(), vector) == 1 && start_mac(mac);
}

bool TicketKey::open(const unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const {
  return EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, cipher_key(), vector) == 1 && start_mac(mac);
}

bool TicketKey::start_mac(EVP_MAC_CTX* mac) const {
  // The parameter takes a pointer to non-const and only reads from it.
  static constexpr std::array<char, 7> kDigest{"SHA256"};
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(kDigest.data()), 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_init(mac, bytes_.data() + kNameSize, kMacKeySize, parameters.data()) == 1;
}

TicketKeys::Found TicketKeys::find(const unsigned char* name) const noexcept {
  const auto among = [name](const std::vector<TicketKey>& keys) {
    const auto found =
        std::find_if(keys.begin(), keys.end(), [name](const TicketKey& key) { return key.is_named(name); });
    return found == keys.end() ? nullptr : &*found;
  };
  if (newest_.is_named(name)) return {&newest_, false};
  if (const TicketKey* key = among(ahead_)) return {key, false};
  return {among(older_), true};
}

void TicketKeySlot::set(std::shared_ptr<const TicketKeySource> source) {
  {
    const std::lock_guard lock(mutex_);
    source_.swap(source);
  }
  // The former source, if this was its last user, ends here, outside of the lock.
}

std::shared_ptr<const TicketKeys> TicketKeySlot::keys() const {
  std::shared_ptr<const TicketKeySource> source;
  {
    const std::lock_guard lock(mutex_);
    source = source_;
  }
  // Not time(2), which lags behind by some milliseconds on Linux: machines that agree would not, at the turn of a
  // period.
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return source->keys_at(std::chrono::floor<std::chrono::seconds>(since_1970).count());
}

FailurePtr apply_ticket_keys(SSL_CTX* context, std::shared_ptr<const TicketKeySource> source) {
  Attachment* attachment = attachment_of(context);
  if (source == nullptr) source = own_keys(context);
  if (attachment == nullptr || source == nullptr || SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key) != 1) {
    return openssl_failure("the context cannot be made");
  }
  attachment->ticket_keys = std::make_unique<TicketKeySlot>(std::move(source));
  return nullptr;
}

}  // namespace system_tls::openssl
