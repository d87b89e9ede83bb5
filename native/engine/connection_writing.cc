// SSL_write, for operations and without one.
#include <openssl/err.h>

#include <algorithm>

#include "engine/connection.h"

namespace system_tls::engine {

std::size_t Connection::write_clear(std::span<const std::uint8_t> clear) {
  if (!record_sizing_) return write_records(clear) ? clear.size() : 0;
  record_sizing_->begin(RecordSizing::Clock::now());
  std::size_t written = 0;
  while (written < clear.size()) {
    const std::size_t count = std::min(clear.size() - written, record_sizing_->most());
    if (!write_records(clear.subspan(written, count))) break;
    record_sizing_->wrote(count);
    written += count;
  }
  return written;
}

bool Connection::write_records(std::span<const std::uint8_t> clear) {
  ERR_clear_error();
  std::size_t written = 0;
  const int result = SSL_write_ex(ssl_.get(), clear.data(), clear.size(), &written);
  if (result == 1) {
    ending_.data_made();
    return true;
  }
  // A message of the peer's came in part (RFC 8446 5.1), and OpenSSL goes on with it first: the next read does.
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return false;
  fail(failure_after(result, "Writing failed"));
  return false;
}

std::size_t Connection::write_now(std::span<const std::uint8_t> clear) {
  if (!open_for_writing() || suspended() || !queue_.empty() || renegotiation_.scheduled() || renegotiating() ||
      (dtls_ && clear.size() > longest_message())) {
    return 0;
  }
  std::size_t taken = 0;
  while (taken < clear.size() && out_below_mark()) {
    const std::size_t count = std::min(kWriteBatch, clear.size() - taken);
    const std::size_t written = write_clear(clear.subspan(taken, count));
    taken += written;
    if (written < count) break;
  }
  return taken;
}

}  // namespace system_tls::engine
