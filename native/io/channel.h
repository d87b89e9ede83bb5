// A connection on its transport, on its reactor: pumps between the two and records the connection's events.
//
// Belongs to the reactor's thread, from move_in() to leave(); before and after, to whoever holds it alone. JavaScript
// never runs inside pump(): it runs in Reactor::deliver() alone, after which the channel may have been closed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/connection.h"
#include "io/reactor/reactor.h"
#include "io/reactor/retransmission_timer.h"
#include "io/threads/published.h"
#include "io/threads/write_ahead.h"
#include "io/transports/bio_endpoint.h"
#include "io/transports/fd.h"
#include "io/transports/transport.h"

namespace system_tls::io {

class Channel : public engine::Events,
                public TransportOwner,
                public Resident,
                public Runnable,
                public RetransmissionTimer::Owner,
                public std::enable_shared_from_this<Channel> {
 public:
  // How an operation ended that was started just now: without an event, if it could be completed at once.
  struct Outcome {
    enum class Kind { pending, done, data, end, failed } kind = Kind::pending;
    std::int32_t result = 0;
    // Kind::data: in the slab, to be copied and then given back with release().
    std::span<const std::uint8_t> bytes;
    std::int32_t slab_offset = 0;
    openssl::FailurePtr failure;
  };

  // Null: `failure` says why. Any thread: it is not on the reactor before move_in().
  static std::shared_ptr<Channel> create(const std::shared_ptr<Reactor>& reactor, std::int32_t id, openssl::SslPtr ssl,
                                         const engine::ConnectionOptions& options, openssl::FailurePtr& failure);
  Channel(std::shared_ptr<Reactor> reactor, std::int32_t id) : reactor_(std::move(reactor)), id_(id) {}
  // The second part of create(), of what the constructor has made alone. Null, or why not.
  openssl::FailurePtr set_up(openssl::SslPtr ssl, const engine::ConnectionOptions& options);
  ~Channel() override { close(); }

  void move_in() { Resident::move_in(*reactor_); }
  // Will be told on this thread whether what is written would be taken.
  void tell(std::shared_ptr<WriteAhead> ahead) { write_ahead_ = std::move(ahead); }
  // Will show there what it is like, until it is on the environment's own loop.
  void publish_to(std::shared_ptr<Published> published);
  // Shows what may have changed without an event. Without effect where nothing is shown.
  void publish();
  // Lets go of the reactor, so that another thread may have the channel. Events recorded before stay where they are.
  void leave();
  // Goes on, on another reactor. On its thread.
  void join(std::shared_ptr<Reactor> reactor);

  // Null once closed.
  engine::Connection* connection() const { return connection_.get(); }
  Reactor& reactor() const { return *reactor_; }
  int fd() const { return transport_ ? transport_->fd() : -1; }

  // Null, or why no transport can be set; a connection has one in its life.
  openssl::FailurePtr transport_refused() const;
  static openssl::FailurePtr has_transport_failure();
  // `fd` stays the caller's if this fails.
  openssl::FailurePtr set_socket(Fd& fd, bool sole);
  // The same, for a socket that KtlsTransport::refused() does not refuse.
  openssl::FailurePtr set_ktls_socket(Fd& fd, bool sole);
  openssl::FailurePtr set_bios(std::shared_ptr<BioEndpoint> read, std::shared_ptr<BioEndpoint> write);

  KernelTls kernel_tls() const;
  // Of a connection that did not ask for it.
  static KernelTls no_kernel_tls();

  // When the transport last gave or took a byte, or JavaScript did: uv_now(), in milliseconds, of whichever loop. Any
  // thread.
  std::uint64_t moved_at() const { return moved_at_.load(std::memory_order_relaxed); }
  void moved_at(std::uint64_t now) { moved_at_.store(now, std::memory_order_relaxed); }

  // `now`: may end at once, without an event. Otherwise every end is an event, and the outcome is pending.
  Outcome start(engine::Operation operation, bool now = true);
  Outcome start_read(engine::ReadOperation read, bool now = true);
  void release(const Outcome& outcome);
  // Encrypts and sends what goes at once. True: `clear` was taken whole and the backlog is below its mark. `hold`: what
  // is little may wait for send_held(), or for whatever is sent before.
  bool write_now(std::span<const std::uint8_t> clear, std::size_t& taken, bool hold);
  bool holds_output() const { return held_; }
  void send_held();
  engine::Cancelled cancel(engine::OperationId id);
  // False: nobody asks (any more).
  bool answer(engine::QuestionId id, engine::Answer answer);
  // The outcome of an export for operation `id`; null failure: the bytes.
  void exported(engine::OperationId id, openssl::Bytes material, openssl::FailurePtr failure);
  void start_flow();
  // Whoever hears of this handshake shall have done all that follows from it, ticks and microtasks, before more is
  // told.
  void note_arrival(engine::OperationId handshake) { arrival_ = handshake; }
  void stop_flow();
  void pump();

  void set_user_ref(bool on);
  void close() override;
  void evict(const openssl::FailurePtr& why) override;

  // Runnable: another end made something ready, or a delivery is over, or a job is free.
  void run() override;
  bool offer_job() override;

  // TransportOwner
  void transport_ready(bool input, bool output) override;

  // RetransmissionTimer::Owner
  void retransmit() override;

  // engine::Events
  std::span<std::uint8_t> slab() override { return reactor_->recording().slab_room(); }
  bool may_fill() override { return !reactor_->fill_pending(); }
  void operation_done(engine::OperationId id, std::int64_t result) override;
  void operation_failed(engine::OperationId id, openssl::FailurePtr failure) override;
  void data(engine::OperationId id, std::span<const std::uint8_t> bytes) override;
  void sent_by_kernel() override { note_moved(); }
  void flow_filled(std::size_t count) override;
  void end(engine::OperationId id) override;
  void peer_updated(engine::OperationId id) override;
  void key_update(bool from_peer, bool requested) override;
  void renegotiated(bool resumed, bool by_peer) override;
  void session(openssl::SessionPtr session) override;
  void keylog(std::string line) override;
  void message(bool sent, int version, int content_type, std::span<const std::uint8_t> bytes) override;
  void info(int where, int result, std::string state) override;
  void alert(const openssl::Alert& alert) override;
  void negotiated() override;
  void question(const engine::Question& question) override;
  void sending_failed(openssl::FailurePtr failure) override;
  void failed(openssl::FailurePtr failure) override;

 private:
  void record(EventKind kind, std::int32_t a = 0, std::int32_t b = 0, std::int32_t c = 0);
  void part_from_arrival(EventKind kind);
  void record_read(EventKind kind, std::int32_t a, std::int32_t b = 0, std::int32_t c = 0);
  template <typename T>
  std::int32_t payload(T value) {
    return reactor_->recording().add_payload(std::move(value));
  }
  // Is this the operation whose start() is on the stack, and may it end without an event?
  bool ends_now(engine::OperationId id) const;
  Outcome take_outcome();

  // Started without a transport: it failed.
  bool refuse_without_transport(engine::OperationId id);
  openssl::FailurePtr set_plain_socket(Fd& fd, bool sole);
  void note_activity(bool on);
  void note_job();
  void show_gauges();
  void note_moved() { moved_at(uv_now(reactor_->loop())); }
  void arm_retransmission(bool active);
  void receive_input();
  bool worth_drawing() const;
  void draw_input();
  void pump_input(std::span<const std::uint8_t> enc);
  void deliver_meanwhile();
  void await_fill_delivered();
  bool more_may_be_read() const;
  bool flush();
  bool hold_output();
  bool holds_tickets();
  void renew_budgets();
  bool work_deferred() const;
  void settle();

  // channel_ending.cc
  bool receives_at_once() const;
  bool receive_once();
  void end_unsendable();
  void finish_dead();

  std::shared_ptr<Reactor> reactor_;
  std::unique_ptr<engine::Connection> connection_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<RetransmissionTimer> retransmission_;  // DTLS, from the first flight on
  std::unique_ptr<const std::string> ktls_refused_;
  std::shared_ptr<WriteAhead> write_ahead_;  // if its owner is on another thread, as the next
  std::shared_ptr<Published> published_;
  const std::int32_t id_;

  engine::OperationId arrival_ = 0;
  std::uint64_t arrived_in_ = 0;  // the batch that tells of it; 0: none, or what follows has been parted from it
  engine::OperationId starting_ = 0;
  bool starting_read_ = false;
  Outcome outcome_;
  // Reads must not overtake reads: one whose event is not delivered yet makes the next one pend.
  std::uint64_t last_read_batch_ = 0;
  std::uint64_t fill_batch_ = 0;  // which tells what the flow's own memory was filled with; 0: it may be filled
  bool pumping_ = false;
  std::atomic<std::uint64_t> moved_at_ = 0;
  bool user_ref_ = true;
  ActivityMark activity_;
  bool waits_for_delivery_ = false;
  bool deferred_ = false;
  bool held_ = false;         // output waits for more that JavaScript writes in this turn
  bool tickets_due_ = false;  // they are not held back, or no longer
  // What this connection may still do in the reactor's iteration `budgets_of_`.
  std::uint64_t budgets_of_ = 0;
  std::size_t send_budget_ = 0;
  bool waits_for_job_ = false;
  // Paused in an ASYNC job, or waiting for one.
  bool uses_job_ = false;
  // Between two reactors.
  Fd travelling_fd_;
  bool travelling_sole_ = false;
};

}  // namespace system_tls::io
