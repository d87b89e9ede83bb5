#include "binding/channel_access.h"

#include <algorithm>
#include <utility>

namespace system_tls::binding {

ChannelAccess::ChannelAccess(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::Channel> channel,
                             std::shared_ptr<io::IoThread> thread)
    : delivery_(std::move(delivery)), channel_(std::move(channel)), thread_(std::move(thread)) {
  if (thread_ == nullptr) {
    channel_->move_in();
    return;
  }
  write_ahead_ = std::make_shared<io::WriteAhead>(delivery_->blocks());
  published_ = std::make_shared<io::Published>();
  channel_->publish_to(published_);
  thread_->add_load(1);
  thread_->post([channel = channel_, ahead = write_ahead_] {
    channel->tell(ahead);
    channel->move_in();
  });
}

ChannelAccess::ChannelAccess(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::Channel> channel,
                             std::shared_ptr<io::IoThread> thread, Recipe recipe)
    : delivery_(std::move(delivery)),
      channel_(std::move(channel)),
      thread_(std::move(thread)),
      write_ahead_(std::make_shared<io::WriteAhead>(delivery_->blocks())),
      published_(std::make_shared<io::Published>()),
      making_(new Making{channel_, write_ahead_, published_, std::move(recipe)}) {
  thread_->add_load(1);
}

void ChannelAccess::Making::run() const {
  const ConnectionOptions& options = *recipe.options;
  if (openssl::FailurePtr failure = channel->set_up(recipe.context->new_ssl(options.engine.server), options.engine)) {
    channel->failed(std::move(failure));
    return;
  }
  channel->publish_to(published);
  channel->tell(ahead);
  channel->move_in();
}

void ChannelAccess::make_now() {
  if (making_) thread_->post([making = std::move(making_)] { making->run(); });
}

// Whoever asks what it is like before the thread has made it: nobody but for those who have just begun it.
void ChannelAccess::await_shown() {
  if (published_->shown()) return;
  make_now();
  thread_->run([] {});
}

// What waits for the thread counts as sent: it will be ciphertext.
io::Gauges ChannelAccess::gauges() {
  if (closed()) return {};
  if (!remote()) return io::Gauges::of(*channel_->connection());
  await_shown();
  io::Gauges gauges = published_->gauges();
  gauges.out += write_ahead_->unsent();
  return gauges;
}

// On the loop it is made for those who ask, and once for all of them.
std::shared_ptr<const engine::Negotiated> ChannelAccess::negotiated() {
  if (closed()) return std::make_shared<const engine::Negotiated>();
  if (remote()) {
    await_shown();
    return published_->negotiated();
  }
  const engine::Connection& connection = *channel_->connection();
  if (!negotiated_ || !connection.established() || negotiated_version_ != connection.negotiated_version()) {
    negotiated_ = std::make_shared<const engine::Negotiated>(engine::negotiated_by(connection));
    negotiated_version_ = connection.negotiated_version();
  }
  return negotiated_;
}

std::optional<io::KernelTls> ChannelAccess::kernel_tls() {
  if (closed()) return std::nullopt;
  if (!remote()) return channel_->kernel_tls();
  await_shown();
  std::optional<io::KernelTls> shown = published_->kernel_tls();
  return shown ? shown : io::Channel::no_kernel_tls();
}

openssl::SessionPtr ChannelAccess::session() const {
  if (closed()) return nullptr;
  if (remote()) return published_->session();
  const engine::Connection& connection = *channel_->connection();
  return openssl::SessionPtr(connection.session_settled() ? SSL_get1_session(connection.ssl()) : nullptr);
}

std::int32_t ChannelAccess::context_tag() const {
  if (closed()) return last_context_tag_;
  return remote() ? published_->negotiated()->context_tag : channel_->connection()->context_tag();
}

// All loops count from the same moment, but this one may have looked at the clock before the other.
std::uint64_t ChannelAccess::idle_time() const {
  const std::uint64_t now = uv_now(delivery_->reactor()->loop());
  return channel_ ? now - std::min(now, channel_->moved_at()) : now;
}

void ChannelAccess::hold_until_end_of_turn() {
  if (!std::exchange(listed_, true)) delivery_->hold(weak_from_this());
}

void ChannelAccess::send_held() {
  listed_ = false;
  if (closed()) return;
  if (remote()) {
    post_written();
  } else {
    channel_->send_held();
  }
}

bool ChannelAccess::post_written() {
  if (!std::exchange(unposted_, false)) return true;
  const bool sent = send([buffer = write_buffer_](io::Channel& channel) {
    channel.start(io::CopiedBytes::write(engine::kUntold, buffer->take()), false);
  });
  if (!sent) write_buffer_ = nullptr;
  return sent;
}

ChannelAccess::Sent ChannelAccess::write(std::span<const std::uint8_t> bytes, bool hold) {
  using Added = io::WriteBuffer::Added;
  const bool sealed = std::exchange(sealed_, false);
  if (!write_buffer_ || (sealed && !write_buffer_->empty())) {
    write_buffer_ = std::make_shared<io::WriteBuffer>(write_ahead_);
  }
  switch (write_buffer_->add(bytes)) {
    case Added::no_memory:
      return Sent::no_memory;
    case Added::more:
      return Sent::yes;
    case Added::first:
      break;
  }
  unposted_ = true;
  if (hold) {
    hold_until_end_of_turn();
    return Sent::yes;
  }
  return post_written() ? Sent::yes : Sent::ended;
}

bool ChannelAccess::move_to_loop(engine::OperationId id) {
  seal();
  const auto arrive_there = [self = shared_from_this(), id] { self->arrive(id); };
  make_now();
  moving_ = thread_->post([channel = channel_, thread = thread_.get(), arrive_there] {
    channel->leave();
    // What was recorded before goes ahead.
    channel->reactor().deliver();
    thread->answer(arrive_there);
  });
  return moving_;
}

void ChannelAccess::arrive(engine::OperationId id) {
  thread_->add_load(-1);
  thread_ = nullptr;
  moving_ = false;
  // The environment is going: its threads have ended before.
  if (delivery_->reactor()->closed()) {
    channel_->close();
    return;
  }
  const Entry entry(*delivery_);
  // Also to be closed: what it holds must not go back to the pool of the thread that it has left.
  channel_->join(delivery_->reactor());
  published_.reset();
  if (closed_) {
    channel_->close();
    deferred_.clear();
    return;
  }
  for (const std::unique_ptr<io::Task>& task : std::exchange(deferred_, {})) task->run();
  channel_->operation_done(id, 0);
}

void ChannelAccess::close() {
  if (closed_) return;
  if (remote()) post_written();
  last_context_tag_ = context_tag();
  closed_ = true;
  write_buffer_.reset();
  if (thread_ == nullptr) {
    if (delivery_->reactor()->closed()) return;
    const Entry entry(*delivery_);
    channel_->close();
  } else if (!moving_) {
    thread_->add_load(-1);
    // Otherwise the thread has never heard of it.
    if (!making_) thread_->post([channel = channel_] { channel->close(); });
  }
}

void ChannelAccess::drop() {
  if (thread_ == nullptr) {
    const io::Turn turn(channel_->reactor());
    channel_->close();
    return;
  }
  close();
  // The last reference must not die here while the thread may still use it: the message above holds one.
  if (!moving_) channel_.reset();
}

}  // namespace system_tls::binding
