#include "openssl/session/ticket_key_ring.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace system_tls::openssl {

namespace {

constexpr std::string_view kLabel = "system-tls ticket key ring";

void append(Bytes& bytes, std::int64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> shift));
  }
}

OSSL_PARAM octets(const char* name, const void* data, std::size_t size) {
  // The parameter takes a pointer to non-const and only reads from it.
  return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
}

}  // namespace

TicketKeyRing::TicketKeyRing(KdfPtr kdf, SecretBytes secret, std::int64_t period, std::uint32_t overlap) noexcept
    : kdf_(std::move(kdf)), secret_(std::move(secret)), period_(period), overlap_(overlap) {}

TicketKeyRingResult TicketKeyRing::create(SecretBytes secret, std::int64_t period, std::uint32_t overlap) {
  const ErrorScope scope;
  KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  if (kdf == nullptr) return {nullptr, openssl_failure("the ring cannot be made")};
  auto ring = std::make_shared<const TicketKeyRing>(std::move(kdf), std::move(secret), period, overlap);
  // What OpenSSL refuses, such as a digest that no provider has, is told here instead of by the first handshake.
  if (ring->derive(0).empty()) return {nullptr, openssl_failure("the ring cannot be made")};
  return {std::move(ring), nullptr};
}

std::shared_ptr<const TicketKeys> TicketKeyRing::keys_at(std::int64_t now) const {
  const std::int64_t number = now / period_;
  const std::lock_guard lock(mutex_);
  // Not only when it has grown: a clock may be set back.
  if (keys_ == nullptr || number_ != number) {
    keys_ = keys_of(number);
    number_ = number;
  }
  return keys_;
}

std::shared_ptr<const TicketKeys> TicketKeyRing::keys_of(std::int64_t number) const {
  std::vector<TicketKey> older;
  // Of a machine whose clock is ahead of ours.
  std::vector<TicketKey> ahead;
  SecretBytes newest = derive(number);
  SecretBytes next = derive(number + 1);
  if (newest.empty() || next.empty()) return nullptr;
  ahead.emplace_back(std::move(next));
  older.reserve(overlap_);
  for (std::int64_t back = 1; back <= overlap_; ++back) {
    SecretBytes earlier = derive(number - back);
    if (earlier.empty()) return nullptr;
    older.emplace_back(std::move(earlier));
  }
  return std::make_shared<const TicketKeys>(TicketKey(std::move(newest)), std::move(older), std::move(ahead));
}

// RFC 5869. The length of the period is in it, so that rings of different periods have no key in common.
SecretBytes TicketKeyRing::derive(std::int64_t number) const {
  const KdfContextPtr context(EVP_KDF_CTX_new(kdf_.get()));
  if (context == nullptr) return {};
  Bytes info(kLabel.begin(), kLabel.end());
  append(info, period_);
  append(info, number);
  static constexpr std::array<char, 7> kDigest{"SHA256"};
  const std::array<OSSL_PARAM, 4> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(kDigest.data()), 0),
      octets(OSSL_KDF_PARAM_KEY, secret_.data(), secret_.size()), octets(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  SecretBytes bytes(TicketKey::kSize);
  if (EVP_KDF_derive(context.get(), bytes.data(), bytes.size(), parameters.data()) != 1) return {};
  return bytes;
}

}  // namespace system_tls::openssl
