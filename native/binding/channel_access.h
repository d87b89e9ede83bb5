// The way from JavaScript to a channel: a call if it lives on the environment's own loop, a message if it lives on an
// I/O thread.
//
// All of it on the environment's thread. A message is sent in call order, so that operations keep theirs.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "binding/connection_options.h"
#include "binding/core/delivery.h"
#include "io/channel.h"
#include "io/threads/io_thread.h"
#include "io/threads/published.h"
#include "io/threads/write_buffer.h"
#include "openssl/context/context.h"

namespace system_tls::binding {

class ChannelAccess : public std::enable_shared_from_this<ChannelAccess> {
 public:
  // What the thread makes the connection of. Its creation is half of what a connection costs here, and what one thread
  // allocates and another one frees costs both of them more.
  struct Recipe {
    std::shared_ptr<const openssl::Context> context;
    std::shared_ptr<const ConnectionOptions> options;
  };

  // `thread`: null for the loop.
  ChannelAccess(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::Channel> channel,
                std::shared_ptr<io::IoThread> thread);
  // The channel is not set up: that is done on the thread, before the first call. If it fails, an event says so.
  ChannelAccess(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::Channel> channel,
                std::shared_ptr<io::IoThread> thread, Recipe recipe);
  ChannelAccess(const ChannelAccess&) = delete;
  ChannelAccess& operator=(const ChannelAccess&) = delete;

  // Not on the environment's loop, or on its way to it.
  bool remote() const { return thread_ != nullptr; }
  // The loop closes its channels by itself when the environment ends.
  bool closed() const { return closed_ || (!remote() && channel_->connection() == nullptr); }
  // What it is like. A thread is waited for by those alone who ask before it has made the connection. Of one that is
  // closed: what an unused one would tell.
  io::Gauges gauges();
  std::shared_ptr<const engine::Negotiated> negotiated();
  std::optional<io::KernelTls> kernel_tls();
  // Null in the middle of a handshake, which has not settled one.
  openssl::SessionPtr session() const;
  // engine::ContextChoice::tag; also of a connection that is closed.
  std::int32_t context_tag() const;
  // Milliseconds since the transport gave or took a byte, or something was written.
  std::uint64_t idle_time() const;
  // Something was written.
  void note_written() const { channel_->moved_at(uv_now(delivery_->reactor()->loop())); }
  // Only if not remote().
  io::Channel& local() const { return *channel_; }
  Delivery& delivery() const { return *delivery_; }
  // Only if remote(), as the next.
  const std::shared_ptr<io::WriteAhead>& write_ahead() const { return write_ahead_; }

  enum class Sent { yes, no_memory, ended };
  // A write that write_ahead() permits: a copy, of which nobody will be told any more. `hold`: it may wait for
  // send_held().
  Sent write(std::span<const std::uint8_t> bytes, bool hold);
  // What was written last waits for the end of JavaScript's turn, or for the next call.
  void hold_until_end_of_turn();
  void send_held();
  // Its first write in an iteration of the loop goes at once, and only what follows is held: a reader, or a thread,
  // that is woken early works while we do, and nobody waits for what JavaScript does behind an answer.
  bool wrote_in_iteration() {
    const std::uint64_t now = delivery_->reactor()->iteration();
    return std::exchange(wrote_in_, now) == now;
  }

  // Calls function(io::Channel&) where the channel lives, unless it is closed by then; now or, if remote, soon. False:
  // it will never be called, because the thread has ended.
  template <typename Function>
  bool run(Function function) {
    seal();
    return send(std::move(function));
  }

  // Calls function(io::Channel&) now, and waits for the thread if it lives on one. Not called: it is closed.
  template <typename Function>
  void ask(Function function) {
    if (closed()) return;
    seal();
    if (thread_ == nullptr) {
      const Entry entry(*delivery_);
      function(*channel_);
      return;
    }
    make_now();
    thread_->run([this, &function] {
      if (channel_->connection() == nullptr) return;
      function(*channel_);
      channel_->publish();
    });
  }

  // From the I/O thread to the environment's loop; the event operation_done with `id` says that it is there. False: the
  // thread has ended.
  bool move_to_loop(engine::OperationId id);
  void close();
  // The handle is being collected: nothing here runs JavaScript.
  void drop();

 private:
  // On the thread, ahead of all that is asked of the channel.
  struct Making {
    std::shared_ptr<io::Channel> channel;
    std::shared_ptr<io::WriteAhead> ahead;
    std::shared_ptr<io::Published> published;
    Recipe recipe;
    void run() const;
  };
  void make_now();
  void await_shown();

  template <typename Function>
  bool send(Function function) {
    if (thread_ == nullptr) {
      const Entry entry(*delivery_);
      if (channel_->connection() != nullptr) function(*channel_);
      return true;
    }
    auto call = [channel = channel_, making = std::move(making_), function = std::move(function)]() mutable {
      if (making) making->run();
      if (channel->connection() != nullptr) function(*channel);
    };
    if (moving_) {
      deferred_.push_back(io::Task::of(std::move(call)));
      return true;
    }
    return thread_->post(std::move(call));
  }

  // What is written after this call must not go with what was written before, which goes ahead of it.
  void seal() {
    sealed_ = true;
    post_written();
  }
  // False: the thread has ended.
  bool post_written();
  void arrive(engine::OperationId id);

  const std::shared_ptr<Delivery> delivery_;
  std::shared_ptr<io::Channel> channel_;
  std::shared_ptr<io::IoThread> thread_;
  std::shared_ptr<io::WriteAhead> write_ahead_;
  std::shared_ptr<io::WriteBuffer> write_buffer_;
  std::shared_ptr<io::Published> published_;
  // Null: it is on its way to the thread.
  std::unique_ptr<const Making> making_;
  // On the loop: what was made for somebody who asked, and its version.
  std::shared_ptr<const engine::Negotiated> negotiated_;
  std::uint32_t negotiated_version_ = 0;
  // Something else was sent behind what is in it.
  bool sealed_ = false;
  // The thread is not told yet that there is something in it.
  bool unposted_ = false;
  std::uint64_t wrote_in_ = 0;
  // Among those whom the end of the turn is told.
  bool listed_ = false;
  bool closed_ = false;
  std::int32_t last_context_tag_ = 0;
  bool moving_ = false;
  // Calls made while it moves.
  std::vector<std::unique_ptr<io::Task>> deferred_;
};

}  // namespace system_tls::binding
