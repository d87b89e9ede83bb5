#include "engine/wire/datagrams.h"

#include <openssl/bio.h>

namespace system_tls::engine {

namespace {

constexpr long kIpv4Overhead = 28;
// What every host must be able to receive: RFC 791, RFC 8200 section 5.
constexpr long kIpv4Minimum = 576;
constexpr long kIpv6Minimum = 1280;

}  // namespace

long Datagrams::control(int command, long number) {
  const auto overhead = static_cast<long>(overhead_);
  switch (command) {
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_MTU:
      return static_cast<long>(mtu_);
    case BIO_CTRL_DGRAM_SET_MTU:
      mtu_ = static_cast<std::size_t>(number);
      return number;
    // Asked for after repeated loss; 0 would be taken for the MTU itself.
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return (overhead == kIpv4Overhead ? kIpv4Minimum : kIpv6Minimum) - overhead;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
      return overhead;
    default:
      // BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT among them: nothing here blocks, and the owner asks DTLSv1_get_timeout(3).
      return 0;
  }
}

}  // namespace system_tls::engine
