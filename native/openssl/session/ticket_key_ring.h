// Ticket keys that follow from a secret and the time, so that machines agree on them without talking. docs/guide has
// the derivation for others who want to agree.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"
#include "openssl/session/ticket_keys.h"

namespace system_tls::openssl {

class TicketKeyRing;

struct TicketKeyRingResult {
  std::shared_ptr<const TicketKeyRing> ring;
  FailurePtr failure;  // set if and only if there is no ring
};

// Needs no timer: whoever asks first in a new period makes its keys.
class TicketKeyRing final : public TicketKeySource {
 public:
  // `period`: seconds for which a key encrypts; positive. `overlap`: how many earlier periods' tickets are opened.
  static TicketKeyRingResult create(SecretBytes secret, std::int64_t period, std::uint32_t overlap);

  std::shared_ptr<const TicketKeys> keys_at(std::int64_t now) const override;

  TicketKeyRing(KdfPtr kdf, SecretBytes secret, std::int64_t period, std::uint32_t overlap) noexcept;

 private:
  // Null: see the error queue.
  std::shared_ptr<const TicketKeys> keys_of(std::int64_t number) const;
  // Empty: see the error queue.
  SecretBytes derive(std::int64_t number) const;

  const KdfPtr kdf_;
  const SecretBytes secret_;
  const std::int64_t period_;
  const std::uint32_t overlap_;
  mutable std::mutex mutex_;
  // Of the period that somebody asked about last; null before that.
  mutable std::shared_ptr<const TicketKeys> keys_;
  mutable std::int64_t number_ = 0;
};

}  // namespace system_tls::openssl
