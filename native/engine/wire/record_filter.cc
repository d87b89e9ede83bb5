#include "engine/wire/record_filter.h"

#include <openssl/obj_mac.h>
#include <openssl/ssl3.h>
#include <openssl/tls1.h>

#include <algorithm>
#include <string_view>

namespace system_tls::engine {

namespace {

// RFC 6347 section 4.1: type, version, epoch, sequence number, length.
constexpr std::size_t kHeader = 13;
constexpr std::size_t kVersionAt = 1;
constexpr std::size_t kEpochAt = 3;
constexpr std::size_t kLengthAt = 11;
constexpr std::uint8_t kMajorVersion = 0xfe;

constexpr std::size_t kExplicitNonce = 8;  // of GCM (RFC 5288) and CCM (RFC 6655)
constexpr std::size_t kTag = 16;
constexpr std::size_t kShortTag = 8;  // of the suites called CCM_8
// The longest of these. Before a cipher is chosen only a Finished could come, which is longer, out of order.
constexpr std::size_t kUnknownCipher = kExplicitNonce + kTag;

std::size_t number_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::size_t>(bytes[at]) << 8 | bytes[at + 1];
}

// What the cipher adds to a record without content. 0 for the others: libssl discards what is too short for them.
std::size_t overhead(const SSL_CIPHER* cipher) {
  switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_chacha20_poly1305:
      return kTag;
    case NID_aes_128_gcm:
    case NID_aes_256_gcm:
    case NID_aria_128_gcm:
    case NID_aria_256_gcm:
      return kExplicitNonce + kTag;
    case NID_aes_128_ccm:
    case NID_aes_256_ccm:
      return kExplicitNonce + (std::string_view(SSL_CIPHER_get_name(cipher)).ends_with("CCM8") ? kShortTag : kTag);
    default:
      return 0;
  }
}

}  // namespace

// Before each datagram, so that it sees every change: a cipher is chosen by what a datagram brings.
void RecordFilter::note_cipher() {
  const bool settled = SSL_in_init(ssl_) == 0;
  const SSL_CIPHER* chosen = SSL_get_pending_cipher(ssl_);
  if (chosen == nullptr && settled) chosen = SSL_get_current_cipher(ssl_);
  if (chosen != cipher_ && chosen != nullptr) {
    replaced_ = cipher_;
    cipher_ = chosen;
  }
  if (settled) replaced_ = nullptr;
}

std::size_t RecordFilter::shortest() const {
  if (cipher_ == nullptr) return kUnknownCipher;
  return replaced_ == nullptr ? overhead(cipher_) : std::min(overhead(cipher_), overhead(replaced_));
}

// Beyond it libssl takes what follows the header for the next record.
std::size_t RecordFilter::longest() const {
  std::size_t content = SSL3_RT_MAX_PLAIN_LENGTH;
  const SSL_SESSION* session = SSL_get_session(ssl_);
  const int code = session == nullptr ? 0 : SSL_SESSION_get_max_fragment_length(session);
  // RFC 6066 section 4: 1 is 512 bytes, 4 is 4096.
  if (code >= TLSEXT_max_fragment_length_512 && code <= TLSEXT_max_fragment_length_4096) content = 256U << code;
  return content + SSL3_RT_MAX_ENCRYPTED_OVERHEAD;
}

// The version is agreed on together with the cipher. libssl takes an alert of another one, and of other records with a
// wrong version it skips the header alone: a record hidden behind it would reach it unseen.
bool RecordFilter::version_fits(std::span<const std::uint8_t> record) const {
  if (cipher_ == nullptr || record[0] == SSL3_RT_ALERT) return true;
  return number_at(record, kVersionAt) == static_cast<std::size_t>(SSL_version(ssl_));
}

std::size_t RecordFilter::admit(std::span<std::uint8_t> datagram) {
  note_cipher();
  std::size_t admitted = 0;
  std::span<std::uint8_t> left = datagram;
  while (left.size() >= kHeader && left[kVersionAt] == kMajorVersion) {
    const std::size_t length = number_at(left, kLengthAt);
    // Cut, or garbage: nothing behind it can be trusted to begin where it says.
    if (length > left.size() - kHeader || length > longest()) break;
    const std::span<std::uint8_t> record = left.first(kHeader + length);
    left = left.subspan(record.size());
    const bool too_short = number_at(record, kEpochAt) != 0 && length < shortest();
    if (too_short || !version_fits(record)) continue;
    std::copy(record.begin(), record.end(), datagram.begin() + static_cast<std::ptrdiff_t>(admitted));
    admitted += record.size();
  }
  return admitted;
}

}  // namespace system_tls::engine
