// The reading side: SSL_read for read operations, for the flow, and ahead of both when an operation waits for the peer.
#include <openssl/ssl3.h>

#include <array>
#include <utility>

#include "engine/connection.h"
#include "engine/job.h"
#include "engine/operations/run.h"
#include "openssl/library/errors.h"

namespace system_tls::engine {

using openssl::FailurePtr;

namespace {
// More than a write puts above the mark: one batch, with what encrypting adds.
constexpr std::size_t kAboveMark = kWriteBatch + 64 * 1024;
}  // namespace

void Connection::start_read(ReadOperation read) {
  if (ending_.told()) {
    events_.operation_failed(read.id, failure());
    return;
  }
  reader_.add(std::move(read));
  begin_reading();
}

void Connection::start_flow() {
  if (reader_.start_flow()) begin_reading();
}

// By the manual, the next I/O performs what was scheduled, even if nothing has arrived.
void Connection::begin_reading() {
  want_handshake();
  begin_scheduled_renegotiation();
}

bool Connection::input_may_be_there() const {
  return reader_.call_wanted() || enc_.input_waits() || enc_.in.eof_seen();
}

Step Connection::step_reads() {
  reader_.unblock();
  if (reader_.ahead_wanted()) return serve_read_ahead();
  if (peer_closed()) return reader_.deliver_end() ? Step::progress : Step::blocked;
  // Only what SSL_read itself makes (answers to KeyUpdates) can get this far above the mark: were reading to wait for
  // what was written, two sides that both write would wait for each other.
  if (!input_may_be_there() || enc_.out.size() > out_mark_ + kAboveMark) return Step::blocked;
  if (read_may_ask()) return read_in_job();
  if (!reader_.wanted()) return may_read_ahead() ? read_ahead() : Step::blocked;
  std::span<std::uint8_t> target;
  switch (reader_.pick_target(target)) {
    case Reader::Target::ready:
      return read_into(target);
    case Reader::Target::none:
      return Step::blocked;
    case Reader::Target::gone:
      return target_gone();
  }
  return Step::blocked;
}

// For an operation that waits for the peer; and where nothing can be sent any more, to learn how the peer went. With
// DTLS always: a peer that lost our last flight repeats its own, and waits for the answer, whether or not anybody reads
// here; and one message whatever the bound, lest it stop that.
bool Connection::may_read_ahead() const {
  return reader_.may_hold_more() && (dtls_ || renegotiating() || !queue_.waits().empty() || send_failure() != nullptr);
}

Step Connection::read_ahead() {
  if (!dtls_) return read_into(reader_.ahead_room());
  // Written before it is read. NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  std::array<std::uint8_t, SSL3_RT_MAX_PLAIN_LENGTH> message;
  return read_into(message);
}

// A single read ends with that; the flow cannot go on.
Step Connection::target_gone() {
  FailurePtr failure =
      openssl::named_failure("ERR_TLS_BUFFER_DETACHED", "The memory to read into was detached or shrunk");
  if (!reader_.fail_read(failure)) abort(std::move(failure));
  return Step::progress;
}

Step Connection::serve_read_ahead() {
  const Reader::Target found = reader_.serve_ahead();
  if (found == Reader::Target::gone) return target_gone();
  return found == Reader::Target::ready ? Step::progress : Step::blocked;
}

// Fills the target with as many records as there are: one delivery, one crossing. With DTLS each is a message, and
// stays one.
Step Connection::read_into(std::span<std::uint8_t> target) {
  const std::uint32_t messages_before = handshake_messages_;
  std::size_t total = 0;
  ReadResult result = ReadResult::some;
  FailurePtr failure;
  do {
    std::size_t count = 0;
    result = read_some(target.subspan(total), count, failure);
    total += count;
  } while (result == ReadResult::some && !failure && total < target.size() && !dtls_ && input_may_be_there());
  reader_.took(target.first(total));
  return conclude_read(result, std::move(failure), total != 0 || handshake_messages_ != messages_before);
}

Step Connection::conclude_read(ReadResult result, FailurePtr failure, bool moved) {
  if (failure) {
    fail(std::move(failure));
  } else if (result == ReadResult::closed) {
    note_peer_closed();
  }
  return moved || result == ReadResult::closed ? Step::progress : Step::blocked;
}

void Connection::set_strict_end(bool on) {
  strict_end_ = on;
  enc_.in.hide_end(established() && !on);
}

// In the middle of a handshake OpenSSL hears of the end after all.
Connection::ReadResult Connection::nothing_read(std::span<std::uint8_t> target, std::size_t& count, FailurePtr& failure,
                                                bool in_job) {
  failure = after_read();
  if (failure) return ReadResult::failed;
  if (!enc_.in.ended_between_records()) return ReadResult::none;
  if (!renegotiating() && SSL_in_init(ssl_.get()) == 0) return ReadResult::closed;
  enc_.in.hide_end(false);
  return read_some(target, count, failure, in_job);
}

Connection::ReadResult Connection::read_some(std::span<std::uint8_t> target, std::size_t& count, FailurePtr& failure,
                                             bool in_job) {
  openssl::clear_errors();
  const JobMode mode(ssl_.get(), in_job);
  const int result = SSL_read_ex(ssl_.get(), target.data(), target.size(), &count);
  // Nothing left on either side of OpenSSL: the call that would only say so is saved.
  reader_.want_call(result == 1 && (enc_.input_waits() || SSL_has_pending(ssl_.get()) != 0));
  if (result == 1) {
    failure = after_read();
    return ReadResult::some;
  }
  // In a job, a call that fails leaves the count of the last one that did not (ssl_read_internal() in ssl_lib.c).
  count = 0;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_CLIENT_HELLO_CB && renegotiation_.too_many()) {
    failure = after_read();
    return ReadResult::failed;
  }
  if (suspension_ && suspension_->leave(Suspension::Call::read, error)) return ReadResult::none;
  switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return nothing_read(target, count, failure, in_job);
    case SSL_ERROR_ZERO_RETURN:
      failure = after_read();
      return failure ? ReadResult::failed : ReadResult::closed;
    default:
      failure = read_failure(result);
      return ReadResult::failed;
  }
}

namespace {

FailurePtr keys_not_replaced() {
  return openssl::named_failure("ERR_TLS_KTLS_KEY_UPDATE",
                                "The peer updates its keys or asks for new ones of ours (TLS 1.3 KeyUpdate), and those "
                                "of the kernel cannot be replaced: connect without the option ktls");
}

}  // namespace

// Newer libraries give the peer's new keys to the kernel, and newer kernels take them: it is tried.
FailurePtr Connection::read_failure(int result) {
  FailurePtr failure = failure_after(result, "Reading failed");
  const bool by_update = key_updates_.peer_updated() && enc_.ktls && enc_.ktls->receives();
  return by_update ? keys_not_replaced() : failure;
}

// What the records just read asked for, besides their data.
FailurePtr Connection::after_read() {
  if (key_updates_.too_many()) {
    return openssl::named_failure(
        "ERR_TLS_TOO_MANY_KEY_UPDATES",
        "The peer sent more KeyUpdates in a row than keyUpdateLimit allows: the connection is closed");
  }
  // OpenSSL would answer with the next write, and encrypt as before.
  if (key_updates_.take_peer_request() && enc_.ktls && enc_.ktls->sends()) return keys_not_replaced();
  if (negotiated_stale_) note_negotiated();
  if (renegotiation_.too_many()) {
    return openssl::named_failure(
        "ERR_TLS_TOO_MANY_RENEGOTIATIONS",
        "The client renegotiated more often than clientRenegotiation allows: the connection is closed");
  }
  note_later_handshakes(*this);
  if (key_updates_.take_peer_updated()) {
    queue_.end_waits([this](const PeerWait& wait) {
      const bool ends = wait.kind == PeerWait::Kind::key_update;
      if (ends) events_.peer_updated(wait.id);
      return ends;
    });
  }
  // OpenSSL answers a request with the next write, which may never come.
  return close_notify_sent() ? nullptr : perform_key_update(*this);
}

}  // namespace system_tls::engine
