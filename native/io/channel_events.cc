// What a connection has to say, as events of its reactor.
#include <utility>

#include "io/channel.h"

namespace system_tls::io {

using engine::OperationId;
using openssl::FailurePtr;

void Channel::record(EventKind kind, std::int32_t a, std::int32_t b, std::int32_t c) {
  show_gauges();
  if (arrived_in_ != 0) part_from_arrival(kind);
  reactor_->record({id_, kind, a, b, c});
}

namespace {
bool comes_of_reading(EventKind kind) {
  return kind == EventKind::data || kind == EventKind::end || kind == EventKind::failed ||
         kind == EventKind::sending_failed || kind == EventKind::alert || kind == EventKind::key_update;
}
}  // namespace

void Channel::part_from_arrival(EventKind kind) {
  if (!comes_of_reading(kind)) return;
  if (std::exchange(arrived_in_, 0) == reactor_->recording_number()) reactor_->recording().cut();
}

void Channel::record_read(EventKind kind, std::int32_t a, std::int32_t b, std::int32_t c) {
  last_read_batch_ = reactor_->recording_number();
  record(kind, a, b, c);
}

bool Channel::ends_now(OperationId id) const {
  if (id != starting_ || outcome_.kind != Outcome::Kind::pending) return false;
  return !starting_read_ || last_read_batch_ <= reactor_->delivered_number();
}

void Channel::operation_done(OperationId id, std::int64_t result) {
  if (id == engine::kUntold) return;
  if (ends_now(id)) {
    outcome_.kind = Outcome::Kind::done;
    outcome_.result = static_cast<std::int32_t>(result);
    return;
  }
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;  // two numbers of 31 bits
  record_read(EventKind::operation_done, static_cast<std::int32_t>(id), static_cast<std::int32_t>(result % kHalf),
              static_cast<std::int32_t>(result / kHalf));
  if (id == arrival_) arrived_in_ = reactor_->recording_number();
}

void Channel::operation_failed(OperationId id, FailurePtr failure) {
  if (id == engine::kUntold) return;
  if (ends_now(id)) {
    outcome_.kind = Outcome::Kind::failed;
    outcome_.failure = std::move(failure);
    return;
  }
  const std::int32_t index = payload(std::move(failure));
  record_read(EventKind::operation_failed, static_cast<std::int32_t>(id), index);
}

void Channel::data(OperationId id, std::span<const std::uint8_t> bytes) {
  const std::int32_t offset = reactor_->recording().take_slab(bytes.size());
  // It may have been waiting here.
  note_moved();
  if (id != engine::kFlow && ends_now(id)) {
    outcome_.kind = Outcome::Kind::data;
    outcome_.bytes = bytes;
    outcome_.slab_offset = offset;
    return;
  }
  record_read(EventKind::data, static_cast<std::int32_t>(id), offset, static_cast<std::int32_t>(bytes.size()));
}

void Channel::flow_filled(std::size_t count) {
  fill_batch_ = reactor_->recording_number();
  reactor_->note_fill();
  record_read(EventKind::data, 0, -1, static_cast<std::int32_t>(count));
  await_fill_delivered();
}

void Channel::end(OperationId id) {
  if (id != engine::kFlow && ends_now(id)) {
    outcome_.kind = Outcome::Kind::end;
    return;
  }
  record_read(EventKind::end, static_cast<std::int32_t>(id));
}

void Channel::peer_updated(OperationId id) { record(EventKind::peer_updated, static_cast<std::int32_t>(id)); }

void Channel::key_update(bool from_peer, bool requested) {
  record(EventKind::key_update, from_peer ? 1 : 0, requested ? 1 : 0);
}

void Channel::renegotiated(bool resumed, bool by_peer) {
  record(EventKind::renegotiated, resumed ? 1 : 0, by_peer ? 1 : 0);
}

void Channel::session(openssl::SessionPtr session) {
  const std::int32_t index = payload(std::move(session));
  record(EventKind::session, index);
}

void Channel::keylog(std::string line) {
  const std::int32_t index = payload(std::move(line));
  record(EventKind::keylog, index);
}

void Channel::message(bool sent, int version, int content_type, std::span<const std::uint8_t> bytes) {
  const std::int32_t index = payload(MessagePayload{sent, version, content_type, {bytes.begin(), bytes.end()}});
  record(EventKind::message, index);
}

void Channel::info(int where, int result, std::string state) {
  const std::int32_t index = payload(std::move(state));
  record(EventKind::info, where, result, index);
}

void Channel::alert(const openssl::Alert& alert) {
  record(EventKind::alert, alert.received ? 1 : 0, alert.level, alert.description);
}

void Channel::exported(OperationId id, openssl::Bytes material, FailurePtr failure) {
  if (failure) {
    operation_failed(id, std::move(failure));
  } else {
    const std::int32_t index = payload(std::move(material));
    record(EventKind::exported, static_cast<std::int32_t>(id), index);
  }
}

// Before what follows from it: whoever hears of a handshake finds its outcome.
void Channel::negotiated() {
  if (!published_) return;
  std::optional<KernelTls> kernel;
  if (connection_->ktls_wanted()) kernel = kernel_tls();
  published_->show(engine::negotiated_by(*connection_), std::move(kernel));
  if (!connection_->session_settled()) return;
  published_->show(openssl::SessionPtr(SSL_get1_session(connection_->ssl())));
}

void Channel::publish_to(std::shared_ptr<Published> published) {
  published_ = std::move(published);
  publish();
}

void Channel::publish() {
  negotiated();
  show_gauges();
}

void Channel::show_gauges() {
  if (published_ && connection_) published_->show(Gauges::of(*connection_));
}

void Channel::question(const engine::Question& question) {
  const std::int32_t index = payload(question.subject);
  record(EventKind::question, static_cast<std::int32_t>(question.id), question.subject->kind(), index);
}

void Channel::sending_failed(FailurePtr failure) {
  const std::int32_t index = payload(std::move(failure));
  record(EventKind::sending_failed, index);
}

void Channel::failed(FailurePtr failure) {
  const std::int32_t index = payload(std::move(failure));
  record(EventKind::failed, index);
}

}  // namespace system_tls::io
