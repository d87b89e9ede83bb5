// Contexts with a certificate of their own, and two engines in memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/connection.h"
#include "openssl/library/handles.h"

namespace system_tls::test {

struct Contexts {
  openssl::SslContextPtr server;
  openssl::SslContextPtr client;
};

// `version`: TLS1_2_VERSION, TLS1_3_VERSION or DTLS1_2_VERSION, for both. The client trusts the server's certificate
// for "localhost".
Contexts make_contexts(int version);

// As contexts of ours have it: what OpenSSL asks goes to the connection. The client shows a certificate if it is asked.
void let_ask(const Contexts& contexts);

// Records what a connection says, and gives it a slab that is emptied at once.
class Recorder : public engine::Events {
 public:
  std::map<engine::OperationId, std::int64_t> done;
  std::map<engine::OperationId, openssl::FailurePtr> failures;
  std::map<engine::OperationId, std::string> reads;
  std::map<engine::OperationId, bool> ended;
  std::vector<engine::OperationId> order;
  std::string flow;
  int own_key_updates = 0;
  int peer_key_updates = 0;
  int peer_updated_count = 0;
  int renegotiated_count = 0;
  int failed_count = 0;
  int sending_failed_count = 0;
  openssl::FailurePtr failure;
  std::vector<engine::Question> questions;

  std::span<std::uint8_t> slab() override { return slab_; }
  void operation_done(engine::OperationId id, std::int64_t result) override;
  void operation_failed(engine::OperationId id, openssl::FailurePtr failed) override;
  void data(engine::OperationId id, std::span<const std::uint8_t> bytes) override;
  void flow_filled(std::size_t) override {}
  void end(engine::OperationId id) override { ended[id] = true; }
  void peer_updated(engine::OperationId) override { ++peer_updated_count; }
  void key_update(bool from_peer, bool) override { ++(from_peer ? peer_key_updates : own_key_updates); }
  void renegotiated(bool, bool) override { ++renegotiated_count; }
  void session(openssl::SessionPtr) override {}
  void keylog(std::string) override {}
  void message(bool, int, int, std::span<const std::uint8_t>) override {}
  void info(int, int, std::string) override {}
  void alert(const openssl::Alert&) override {}
  void question(const engine::Question& question) override { questions.push_back(question); }
  void sending_failed(openssl::FailurePtr) override { ++sending_failed_count; }
  void failed(openssl::FailurePtr failed) override;

 private:
  std::vector<std::uint8_t> slab_ = std::vector<std::uint8_t>(64 * 1024);
};

class Source : public engine::WholeSource {
 public:
  explicit Source(std::string bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::uint8_t> bytes() override {
    return {reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size()};
  }

 private:
  std::string bytes_;
};

struct End {
  Recorder events;
  std::unique_ptr<engine::Connection> connection;
  engine::OperationId next = 1;

  engine::OperationId start(engine::Operation::What what);
  engine::OperationId write(std::string bytes);
  engine::OperationId read(std::size_t max = 1 << 20);
};

// `asking`: its contexts are those of let_ask(), and each end may be set_may_ask().
struct Pair {
  engine::ChunkPool pool;
  Contexts contexts;
  End client;
  End server;

  explicit Pair(int version, const engine::Limits& limits = {}, bool asking = false);
  // Moves bytes in pieces of at most `fragment` until nothing moves any more.
  void pump(std::size_t fragment = 1 << 20);
  bool handshake(std::size_t fragment = 1 << 20);

 private:
  bool move(End& from, End& to, std::size_t fragment);
};

}  // namespace system_tls::test
