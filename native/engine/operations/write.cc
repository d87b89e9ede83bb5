#include <algorithm>
#include <utility>

#include "engine/connection.h"
#include "engine/operations/run.h"

namespace system_tls::engine {

Step run(Connection& connection, Operation& operation, Operation::Write& write) {
  if (connection.begin_scheduled_renegotiation()) return Step::progress;
  // Driven by SSL_write, a renegotiation dies of the first application record that crosses it.
  if (connection.renegotiating() || !connection.out_below_mark()) return Step::blocked;
  if (write.offset == write.length) return done(connection);
  if (openssl::FailurePtr refused = connection.message_refused(write.length)) {
    return fail(connection, std::move(refused));
  }
  ClearSource::Part part = write.source->part(write.offset, write.length);
  if (part.failure) {
    if (write.offset == 0) return fail(connection, std::move(part.failure));
    // A part has gone out: what came after it would look to the peer as if nothing was missing.
    connection.fail(std::move(part.failure));
    return Step::progress;
  }
  if (part.bytes.empty()) return Step::blocked;
  const std::size_t written = connection.write_clear(part.bytes.first(std::min(kWriteBatch, part.bytes.size())));
  // A connection that dies takes its operations with it, this one too.
  if (connection.dead()) return Step::progress;
  if (written == 0) return Step::blocked;
  operation.stage = Operation::Stage::running;
  write.offset += written;
  return Step::progress;
}

}  // namespace system_tls::engine
