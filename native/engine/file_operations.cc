// Sending files: by the kernel, which reads and encrypts them itself, or in pieces as any other data.
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/connection.h"

namespace system_tls::engine {

using openssl::FailurePtr;
using Stage = Operation::Stage;

namespace {

// Encrypted in one SSL_write and sent together, as in a write: four full records.
constexpr std::size_t kPiece = 64 * 1024;

// What sendfile(2) says of the socket, and not of the file.
bool is_of_connection(int error) {
  return error == EPIPE || error == ECONNRESET || error == ECONNABORTED || error == ENOTCONN || error == ETIMEDOUT ||
         error == EHOSTUNREACH || error == ENETUNREACH || error == ENETDOWN;
}

}  // namespace

Connection::Step Connection::run_send_file(Operation& operation) {
  if (dtls_) {
    return fail_operation(openssl::named_failure(
        "ERR_TLS_DTLS",
        "sendFile() makes a stream of bytes, and DTLS carries messages, which may be lost: write() them"));
  }
  if (renegotiation_.scheduled()) {
    begin_renegotiation();
    return Step::progress;
  }
  if (renegotiating() || !out_below_mark()) return Step::blocked;
  if (operation.offset == operation.length) return done(static_cast<std::int64_t>(operation.offset));
  blocked_on_output_ = file_budget_ == 0;
  if (blocked_on_output_) return Step::blocked;
  const std::size_t count = std::min(file_budget_, operation.length - operation.offset);
  return enc_.ktls && enc_.ktls->sends() ? send_by_kernel(operation, count) : send_by_writing(operation, count);
}

void Connection::file_sent(Operation& operation, std::size_t count) {
  operation.stage = Stage::running;
  operation.offset += count;
  file_budget_ -= count;
}

// SSL_sendfile(3) goes round our queue.
Connection::Step Connection::send_by_kernel(Operation& operation, std::size_t count) {
  if (!enc_.out.empty()) return Step::blocked;
  ERR_clear_error();
  errno = 0;
  const auto at = static_cast<off_t>(operation.file_begin + operation.offset);
  const ossl_ssize_t sent = SSL_sendfile(ssl_.get(), operation.file->fd(), at, count, 0);
  const int error = errno;
  ERR_clear_error();
  if (sent > 0) {
    file_sent(operation, static_cast<std::size_t>(sent));
    events_.sent_by_kernel();
    return Step::progress;
  }
  if (sent == 0) return file_ended(operation);
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EBUSY) {
    enc_.ktls->push();
    blocked_on_output_ = true;
    return Step::blocked;
  }
  FailurePtr failure = openssl::system_failure(error, "sendfile");
  if (!is_of_connection(error)) return fail_operation(std::move(failure));
  fail(std::move(failure));
  return Step::progress;
}

Connection::Step Connection::send_by_writing(Operation& operation, std::size_t count) {
  int error = 0;
  const std::span<const std::uint8_t> piece =
      operation.file->read(operation.file_begin + operation.offset, std::min(count, kPiece), error);
  if (error != 0) return fail_operation(openssl::system_failure(error, "read"));
  if (piece.empty()) return file_ended(operation);
  const std::size_t written = write_clear(piece);
  if (written == 0) return dead() ? Step::progress : Step::blocked;
  file_sent(operation, written);
  return Step::progress;
}

// What was promised to the peer (in a Content-Length, say) is the caller's to repair: the connection goes on.
Connection::Step Connection::file_ended(const Operation& operation) {
  if (operation.length == kWholeFile) return done(static_cast<std::int64_t>(operation.offset));
  return fail_operation(openssl::named_failure(
      "ERR_TLS_FILE_TOO_SHORT", "The file ended after " + std::to_string(operation.offset) + " of " +
                                    std::to_string(operation.length) +
                                    " bytes, which are on their way to the peer: the file is shorter than the offset "
                                    "and length given to sendFile(), or was cut meanwhile"));
}

}  // namespace system_tls::engine
