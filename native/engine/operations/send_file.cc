// Sending files: by the kernel, which reads and encrypts them itself, or in pieces as any other data.
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/connection.h"
#include "engine/operations/run.h"

namespace system_tls::engine {

using openssl::FailurePtr;
using SendFile = Operation::SendFile;

namespace {
// What is read at a time: each file that is being sent has such a buffer.
constexpr std::size_t kPiece = 64 * 1024;

// What sendfile(2) says of the socket, and not of the file.
bool is_of_connection(int error) {
  return error == EPIPE || error == ECONNRESET || error == ECONNABORTED || error == ENOTCONN || error == ETIMEDOUT ||
         error == EHOSTUNREACH || error == ENETUNREACH || error == ENETDOWN;
}

void note_sent(Connection& connection, Operation& operation, SendFile& file, std::size_t count) {
  operation.stage = Operation::Stage::running;
  file.offset += count;
  connection.file_turn().budget -= count;
}

// What was promised to the peer (in a Content-Length, say) is the caller's to repair: the connection goes on.
Step file_ended(Connection& connection, const SendFile& file) {
  if (file.length == kWholeFile) return done(connection, static_cast<std::int64_t>(file.offset));
  return fail(connection, openssl::named_failure("ERR_TLS_FILE_TOO_SHORT",
                                                 "The file ended after " + std::to_string(file.offset) + " of " +
                                                     std::to_string(file.length) +
                                                     " bytes, which are on their way to the peer: the file is shorter "
                                                     "than the offset and length given to sendFile(), or was cut "
                                                     "meanwhile"));
}

// SSL_sendfile(3) goes round our queue.
Step send_by_kernel(Connection& connection, Operation& operation, SendFile& file, std::size_t count) {
  if (!connection.enc().out.empty()) return Step::blocked;
  ERR_clear_error();
  errno = 0;
  const auto at = static_cast<off_t>(file.begin + file.offset);
  const ossl_ssize_t sent = SSL_sendfile(connection.ssl(), file.file->fd(), at, count, 0);
  const int error = errno;
  ERR_clear_error();
  if (sent > 0) {
    note_sent(connection, operation, file, static_cast<std::size_t>(sent));
    connection.events().sent_by_kernel();
    return Step::progress;
  }
  if (sent == 0) return file_ended(connection, file);
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EBUSY) {
    connection.enc().ktls->push();
    connection.file_turn().blocked = true;
    return Step::blocked;
  }
  FailurePtr failure = openssl::system_failure(error, "sendfile");
  if (!is_of_connection(error)) return fail(connection, std::move(failure));
  connection.fail(std::move(failure));
  return Step::progress;
}

Step send_by_writing(Connection& connection, Operation& operation, SendFile& file, std::size_t count) {
  int error = 0;
  const std::span<const std::uint8_t> piece = file.file->read(file.begin + file.offset, std::min(count, kPiece), error);
  if (error != 0) return fail(connection, openssl::system_failure(error, "read"));
  if (piece.empty()) return file_ended(connection, file);
  const std::size_t written = connection.write_clear(piece);
  // A connection that dies takes its operations with it, this one too.
  if (connection.dead()) return Step::progress;
  if (written == 0) return Step::blocked;
  note_sent(connection, operation, file, written);
  return Step::progress;
}

}  // namespace

Step run(Connection& connection, Operation& operation, SendFile& file) {
  if (connection.dtls()) {
    return fail(connection, openssl::named_failure("ERR_TLS_DTLS",
                                                   "sendFile() makes a stream of bytes, and DTLS carries messages, "
                                                   "which may be lost: write() them"));
  }
  if (connection.begin_scheduled_renegotiation()) return Step::progress;
  if (connection.renegotiating() || !connection.out_below_mark()) return Step::blocked;
  if (file.offset == file.length) return done(connection, static_cast<std::int64_t>(file.offset));
  FileTurn& turn = connection.file_turn();
  turn.blocked = turn.budget == 0;
  if (turn.blocked) return Step::blocked;
  const std::size_t count = std::min(turn.budget, file.length - file.offset);
  const Ktls* ktls = connection.enc().ktls.get();
  return ktls != nullptr && ktls->sends() ? send_by_kernel(connection, operation, file, count)
                                          : send_by_writing(connection, operation, file, count);
}

}  // namespace system_tls::engine
