// What the application asked for and a connection has not finished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "engine/clear_memory.h"
#include "engine/events.h"
#include "engine/file_source.h"

namespace system_tls::engine {

// The length of a send_file that goes on to the file's end.
inline constexpr std::size_t kWholeFile = std::numeric_limits<std::size_t>::max();

// Run in call order, one at a time.
struct Operation {
  enum class Kind : std::uint8_t {
    handshake,
    write,
    send_file,
    key_update,
    renegotiate,
    client_certificate,
    shutdown,
  };
  // `sending`: what had to be handed to OpenSSL was; the queue is held until it is written.
  enum class Stage : std::uint8_t { queued, running, sending };

  OperationId id = 0;
  Kind kind = Kind::handshake;
  Stage stage = Stage::queued;
  // key_update: request the peer's; renegotiate: abbreviated; client_certificate: required; shutdown: wait.
  bool flag = false;
  // write, send_file: how much OpenSSL took, of how much.
  std::size_t offset = 0;
  std::size_t length = 0;
  std::unique_ptr<ClearSource> source;
  // send_file: from `file_begin` on; a length of kWholeFile is whatever there is.
  std::unique_ptr<FileSource> file;
  std::uint64_t file_begin = 0;

  bool sends_data() const { return kind == Kind::write || kind == Kind::send_file; }
};

// Those that a connection performs its handshake for.
inline bool begins_handshake(Operation::Kind kind) {
  using Kind = Operation::Kind;
  return kind == Kind::handshake || kind == Kind::write || kind == Kind::send_file;
}

// Served in call order; independent of the operations above.
struct ReadOperation {
  OperationId id = 0;
  std::size_t max = 0;
  // None: into the owner's slab.
  std::unique_ptr<ClearTarget> target;
};

// Operations that have left the queue and wait for the peer.
struct PeerWait {
  enum class Kind : std::uint8_t { key_update, renegotiation, client_certificate, close_notify };

  OperationId id = 0;
  Kind kind = Kind::key_update;
  // client_certificate: a certificate is required.
  bool required = false;
};

}  // namespace system_tls::engine
