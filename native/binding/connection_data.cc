// The clear bytes of a connection: written, sent from files, and read.
#include <cerrno>
#include <utility>

#include "binding/connection.h"
#include "binding/core/failure.h"
#include "binding/core/pinned.h"
#include "binding/file.h"
#include "binding/io_pool.h"
#include "binding/lent_bytes.h"

namespace system_tls::binding {

using engine::Operation;
using openssl::FailurePtr;

namespace {

std::unique_ptr<engine::ClearSource> pin_view(const Call& call, std::span<const std::uint8_t>) {
  return PinnedView::of(call.env, call[1]);
}

// Of memory that is used again for the next write.
std::unique_ptr<engine::ClearSource> own(const Call&, std::span<const std::uint8_t> rest) {
  return std::make_unique<OwnedBytes>(std::vector<std::uint8_t>(rest.begin(), rest.end()));
}

FailurePtr no_memory() { return openssl::system_failure(ENOMEM, "malloc"); }

}  // namespace

// Encrypts what goes at once without pinning anything; the rest becomes an operation.
napi_value ConnectionHandle::start_write(const Call& call, engine::OperationId id, std::span<const std::uint8_t> clear,
                                         bool hold, Pin pin) {
  io::Channel& channel = access_->local();
  access_->note_written();
  std::size_t taken = 0;
  const bool done = !clear.empty() && channel.write_now(clear, taken, hold);
  if (channel.holds_output()) access_->hold_until_end_of_turn();
  if (done) return status(call.env, Status::done);
  Operation::Write write{nullptr, taken, clear.size()};
  if (taken < clear.size()) {
    write.source = pin(call, clear);
    if (!write.source)
      return fail(call.env, openssl::named_failure("ERR_TLS_INTERNAL", "The memory could not be referenced"));
  }
  Operation operation(id, std::move(write));
  if (taken != 0) operation.stage = Operation::Stage::running;
  return finish(call.env, channel.start(std::move(operation)));
}

// Done as soon as it is copied, as long as little is on its way to the thread: a round trip for each write would cost
// more than the copy.
napi_value ConnectionHandle::submit_write(napi_env env, engine::OperationId id, std::span<const std::uint8_t> clear,
                                          bool hold) {
  access_->note_written();
  const std::shared_ptr<io::WriteAhead>& ahead = access_->write_ahead();
  const bool permitted = ahead->permits(clear.size());
  // What is one message of DTLS shall not become a part of another.
  if (!dtls_ && !clear.empty() && permitted) return write_ahead(env, clear, hold);
  // Nor may a message be refused, which one that is too long is, without anybody hearing of it.
  const bool told = dtls_ || !permitted;
  io::Pieces pieces;
  if (!pieces.copy(clear, ahead)) return fail(env, no_memory());
  return send_write(env, io::CopiedBytes::write(told ? id : engine::kUntold, std::move(pieces)));
}

napi_value ConnectionHandle::write_ahead(napi_env env, std::span<const std::uint8_t> clear, bool hold) {
  switch (access_->write(clear, hold)) {
    case ChannelAccess::Sent::yes:
      break;
    case ChannelAccess::Sent::no_memory:
      return fail(env, no_memory());
    case ChannelAccess::Sent::ended:
      return fail(env, IoPoolHandle::closed_failure());
  }
  return status(env, Status::done);
}

// What is copied ahead is bounded, however large the write.
napi_value ConnectionHandle::submit_large_write(const Call& call, engine::OperationId id,
                                                std::span<const std::uint8_t> clear) {
  std::unique_ptr<PinnedView> view = PinnedView::of(call.env, call[1]);
  if (!view) return fail(call.env, openssl::named_failure("ERR_TLS_INTERNAL", "The memory could not be referenced"));
  const auto lender = std::make_shared<Lender>(access_, std::move(view), clear.size());
  if (!lender->begin()) return fail(call.env, no_memory());
  access_->note_written();
  Operation::Write write{std::make_unique<LentBytes>(lender, access_->delivery(), access_->write_ahead()), 0,
                         clear.size()};
  access_->delivery().keep(lender);
  return send_write(call.env, {id, std::move(write)});
}

napi_value ConnectionHandle::send_write(napi_env env, engine::Operation operation) {
  const bool told = operation.id != engine::kUntold;
  // Not moved from closure to closure: GCC 12 takes the move of a variant for a use of what it does not hold.
  auto moved = std::make_unique<engine::Operation>(std::move(operation));
  const bool sent =
      access_->run([moved = std::move(moved)](io::Channel& channel) { channel.start(std::move(*moved), false); });
  if (!sent) return fail(env, IoPoolHandle::closed_failure());
  return status(env, told ? Status::pending : Status::done);
}

bool ConnectionHandle::read_hold(const Call& call, bool& hold) {
  enum : std::uint32_t { kNever, kLater, kAlways };  // Hold in types/binding.d.ts
  std::uint32_t number = 0;
  if (!call.read(2, "hold", number)) return false;
  if (number > kAlways) return call.reject("hold", "0, 1 or 2"), false;
  const bool wrote = access_->wrote_in_iteration();
  hold = number == kAlways || (number == kLater && wrote);
  return true;
}

napi_value ConnectionHandle::write(const Call& call) {
  engine::OperationId id = 0;
  View clear;
  bool hold = false;
  if (!call.read(0, "op", id) || !call.read(1, "data", clear)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  if (!read_hold(call, hold)) return nullptr;
  if (access_->remote()) {
    return clear.size() > Lender::kAhead ? submit_large_write(call, id, clear)
                                         : submit_write(call.env, id, clear, hold);
  }
  const Entry entry(access_->delivery());
  return start_write(call, id, clear, hold, pin_view);
}

napi_value ConnectionHandle::write_gathered(const Call& call) {
  engine::OperationId id = 0;
  std::uint32_t length = 0;
  bool hold = false;
  if (!call.read(0, "op", id) || !call.read(1, "length", length)) return nullptr;
  const std::uint8_t* gathered = access_->delivery().gathered(length);
  if (gathered == nullptr) return call.reject("length", "what the memory has room for"), nullptr;
  if (access_->closed()) return closed_failure(call.env);
  if (!read_hold(call, hold)) return nullptr;
  const std::span<const std::uint8_t> clear(gathered, length);
  if (access_->remote()) return submit_write(call.env, id, clear, hold);
  const Entry entry(access_->delivery());
  return start_write(call, id, clear, hold, own);
}

napi_value ConnectionHandle::send_file(const Call& call) {
  engine::OperationId id = 0;
  Operation::SendFile what;
  if (!call.read(0, "op", id)) return nullptr;
  auto* file = handle_argument<FileHandle>(call, 1, "file");
  if (file == nullptr) return nullptr;
  if (!call.read(2, "offset", what.begin)) return nullptr;
  if (!is_nullish(call.env, call[3]) && !call.read(3, "length", what.length)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  what.file = file->take();
  if (!what.file) return call.reject("file", "a NativeFile that is open"), nullptr;
  // By an event on every thread: its result has room for large files.
  return submit(call.env, {id, std::move(what)});
}

// ---------------------------------------------------------------------------------------------------------------------
// Reads

napi_value ConnectionHandle::finish_read(napi_env env, const io::Channel::Outcome& outcome) {
  using OutcomeKind = io::Channel::Outcome::Kind;
  switch (outcome.kind) {
    case OutcomeKind::data: {
      napi_value bytes = to_js(env, outcome.bytes);
      access_->local().release(outcome);
      return bytes;
    }
    case OutcomeKind::done:
      return to_js(env, outcome.result);
    case OutcomeKind::end:
      return to_js(env, -1);
    case OutcomeKind::failed:
      failure_ = outcome.failure;
      return to_js(env, -2);
    case OutcomeKind::pending:
      break;
  }
  return to_js(env, 0);
}

napi_value ConnectionHandle::submit_read(napi_env env, engine::ReadOperation read) {
  const bool sent = access_->run(
      [read = std::move(read)](io::Channel& channel) mutable { channel.start_read(std::move(read), false); });
  if (!sent) failure_ = IoPoolHandle::closed_failure();
  return to_js(env, sent ? 0 : -2);
}

napi_value ConnectionHandle::read(const Call& call) {
  engine::ReadOperation read;
  if (!call.read(0, "op", read.id) || !call.read(1, "max", read.max)) return nullptr;
  if (access_->closed()) return closed_failure(call.env), to_js(call.env, -2);
  if (access_->remote()) return submit_read(call.env, std::move(read));
  const Entry entry(access_->delivery());
  return finish_read(call.env, access_->local().start_read(std::move(read)));
}

napi_value ConnectionHandle::read_into(const Call& call) {
  engine::ReadOperation read;
  View view;
  if (!call.read(0, "op", read.id) || !call.read(1, "view", view)) return nullptr;
  if (access_->closed()) return closed_failure(call.env), to_js(call.env, -2);
  read.max = view.size();
  // Another thread does not write to JavaScript's memory: a Data event follows, whose bytes are copied there.
  if (access_->remote()) return submit_read(call.env, std::move(read));
  read.target = PinnedView::of(call.env, call[1]);
  if (!read.target)
    return fail(call.env, openssl::named_failure("ERR_TLS_INTERNAL", "The memory could not be referenced")),
           to_js(call.env, -2);
  const Entry entry(access_->delivery());
  return finish_read(call.env, access_->local().start_read(std::move(read)));
}

napi_value ConnectionHandle::start_reading(const Call& call) {
  access_->run([](io::Channel& channel) { channel.start_flow(); });
  return undefined(call.env);
}

napi_value ConnectionHandle::stop_reading(const Call& call) {
  access_->run([](io::Channel& channel) { channel.stop_flow(); });
  return undefined(call.env);
}

napi_value ConnectionHandle::set_read_buffer(const Call& call) {
  View view;
  if (!is_nullish(call.env, call[0]) && !call.read(0, "view", view)) return nullptr;
  // From another thread the flow comes through the slab.
  if (access_->remote() || access_->closed()) return undefined(call.env);
  access_->local().connection()->set_flow_target(view.empty() ? nullptr : PinnedView::of(call.env, call[0]));
  return undefined(call.env);
}

}  // namespace system_tls::binding
