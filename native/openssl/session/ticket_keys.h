// What session tickets are encrypted with, RFC 5077 and RFC 8446 section 4.6.1.
//
// A context has a callback, SSL_CTX_set_tlsext_ticket_key_evp_cb(3), from the beginning. OpenSSL's other way,
// SSL_CTX_set_tlsext_ticket_keys(3), writes into the context without a lock: a ticket that another thread makes
// meanwhile gets a part of the old keys and a part of the new ones, and nobody can open it.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"

namespace system_tls::openssl {

// Name, key of HMAC-SHA256, key of AES-256-CBC, as SSL_CTX_set_tlsext_ticket_keys(3) has them.
class TicketKey {
 public:
  static constexpr std::size_t kNameSize = 16;
  static constexpr std::size_t kMacKeySize = 32;
  static constexpr std::size_t kSize = kNameSize + kMacKeySize + 32;

  // `bytes`: kSize of them.
  explicit TicketKey(SecretBytes bytes) noexcept : bytes_(std::move(bytes)) {}

  const SecretBytes& bytes() const noexcept { return bytes_; }
  // `name`: kNameSize bytes, as in the ticket.
  bool is_named(const unsigned char* name) const noexcept;

  // Write the name and a new vector into the ticket, or take the vector from it. False: see the error queue.
  bool seal(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const;
  bool open(const unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const;

 private:
  const unsigned char* cipher_key() const noexcept { return bytes_.data() + kNameSize + kMacKeySize; }
  bool start_mac(EVP_MAC_CTX* mac) const;

  SecretBytes bytes_;
};

// All keys that count at one time. Immutable: a thread that has them goes on with them, whatever is set meanwhile.
class TicketKeys {
 public:
  struct Found {
    const TicketKey* key = nullptr;
    // The ticket is to be replaced by one of the newest key.
    bool renew = false;
  };

  // `older`: what only opens tickets, and asks for new ones. `ahead`: what opens tickets too, and is not in use yet.
  explicit TicketKeys(TicketKey newest, std::vector<TicketKey> older = {}, std::vector<TicketKey> ahead = {})
      : newest_(std::move(newest)), older_(std::move(older)), ahead_(std::move(ahead)) {}

  const TicketKey& newest() const noexcept { return newest_; }
  Found find(const unsigned char* name) const noexcept;

 private:
  TicketKey newest_;
  std::vector<TicketKey> older_;
  std::vector<TicketKey> ahead_;
};

// Keys that stay, or a ring that makes new ones. Any thread asks it.
class TicketKeySource {
 public:
  virtual ~TicketKeySource() = default;
  // `now`: seconds since 1970. Null: see the error queue.
  virtual std::shared_ptr<const TicketKeys> keys_at(std::int64_t now) const = 0;
};

class FixedTicketKeys final : public TicketKeySource {
 public:
  explicit FixedTicketKeys(TicketKey key) : keys_(std::make_shared<const TicketKeys>(std::move(key))) {}
  std::shared_ptr<const TicketKeys> keys_at(std::int64_t) const override { return keys_; }

 private:
  const std::shared_ptr<const TicketKeys> keys_;
};

// The source of one context, which may be exchanged while other threads ask.
class TicketKeySlot {
 public:
  explicit TicketKeySlot(std::shared_ptr<const TicketKeySource> source) noexcept : source_(std::move(source)) {}

  void set(std::shared_ptr<const TicketKeySource> source);
  // What counts now. Null: see the error queue.
  std::shared_ptr<const TicketKeys> keys() const;
  // In TLS 1.3 a client goes on with the ticket that was opened, and gets no new one while its key is the newest. For
  // good.
  void keep_tickets() noexcept { keeps_tickets_ = true; }
  bool keeps_tickets() const noexcept { return keeps_tickets_; }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TicketKeySource> source_;
  std::atomic<bool> keeps_tickets_ = false;
};

// Null `source`: the random keys that OpenSSL made for the context.
FailurePtr apply_ticket_keys(SSL_CTX* context, std::shared_ptr<const TicketKeySource> source);

}  // namespace system_tls::openssl
