// What the application asked for and a connection has not finished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "engine/clear_memory.h"
#include "engine/events.h"
#include "engine/operations/file_source.h"

namespace system_tls::engine {

// The length of a SendFile that goes on to the file's end.
inline constexpr std::size_t kWholeFile = std::numeric_limits<std::size_t>::max();

// What something has come to that is tried again and again: `blocked` until the network, or somebody, does something.
enum class Step { progress, blocked };

// Run in call order, one at a time.
struct Operation {
  struct Handshake {};
  // `offset`: how much OpenSSL took, of `length`.
  struct Write {
    std::unique_ptr<ClearSource> source;
    std::size_t offset = 0;
    std::size_t length = 0;
  };
  // From `begin` on.
  struct SendFile {
    std::unique_ptr<FileSource> file;
    std::uint64_t begin = 0;
    std::size_t offset = 0;
    std::size_t length = kWholeFile;
  };
  struct KeyUpdate {
    bool request_peer = false;
  };
  struct Renegotiate {
    bool abbreviated = false;
  };
  struct ClientCertificate {
    bool required = false;
  };
  // `wait`: for the peer's close_notify.
  struct Shutdown {
    bool wait = false;
  };
  using What = std::variant<Handshake, Write, SendFile, KeyUpdate, Renegotiate, ClientCertificate, Shutdown>;
  // `sending`: what had to be handed to OpenSSL was; the queue is held until it is written.
  enum class Stage : std::uint8_t { queued, running, sending };

  OperationId id = 0;
  Stage stage = Stage::queued;
  What what;

  Operation() = default;
  Operation(OperationId its_id, What its_kind) : id(its_id), what(std::move(its_kind)) {}

  template <typename Kind>
  bool is() const {
    return std::holds_alternative<Kind>(what);
  }
  // A connection performs its handshake for it.
  bool begins_handshake() const { return is<Handshake>() || is<Write>() || is<SendFile>(); }
  // Data, none of which OpenSSL has taken.
  bool is_untouched_data() const {
    if (const auto* write = std::get_if<Write>(&what)) return write->offset == 0;
    const auto* file = std::get_if<SendFile>(&what);
    return file != nullptr && file->offset == 0;
  }
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
