// What JavaScript asks a connection to do.
#include <algorithm>
#include <utility>

#include "binding/bio.h"
#include "binding/connection.h"
#include "binding/credentials.h"
#include "binding/failure.h"
#include "binding/io_pool.h"
#include "binding/options_reader.h"
#include "binding/pinned.h"
#include "binding/session.h"
#include "io/fd_poll.h"
#include "io/file.h"
#include "io/socket.h"
#include "openssl/identity.h"
#include "openssl/negotiation.h"
#include "openssl/verification.h"

namespace system_tls::binding {

using Kind = engine::Operation::Kind;
using openssl::FailurePtr;

namespace {

// Chunks of one writev() are copied together, and encrypted whenever they fill four records.
constexpr std::size_t kGathered = 64 * 1024;

engine::ConnectionOptions read_options(OptionsReader& reader) {
  engine::ConnectionOptions options;
  std::int64_t window = options.limits.renegotiation_window.count();
  reader.read("server", options.server)
      .read("servername", options.servername)
      .read("verifyHost", options.verify_host)
      .read("verifyMode", options.verify_mode)
      .read("verifyContinue", options.verify_continue)
      .read("asks", options.asks)
      .read("sessionPolicy", options.session_policy)
      .read("verifyDepth", options.verify_depth)
      .read("ktls", options.ktls)
      .read("dynamicRecordSizing", options.dynamic_record_sizing)
      .read("mtu", options.mtu)
      .read("cookieVerified", options.cookie_verified)
      .read("outMark", options.limits.out_mark)
      .read("readAhead", options.limits.read_ahead)
      .read("keyUpdateLimit", options.limits.key_updates)
      .read("renegotiationLimit", options.limits.renegotiations)
      .read("renegotiationWindow", window);
  options.limits.renegotiation_window = std::chrono::milliseconds(window);
  return options;
}

// What has been sent of a handshake cannot be taken back; between handshakes the next one will use what is set.
FailurePtr handshake_started(const engine::Connection& connection) {
  const SSL* ssl = connection.ssl();
  if (!connection.suspended() && (SSL_in_before(ssl) != 0 || SSL_in_init(ssl) == 0)) return nullptr;
  return openssl::named_failure(
      "ERR_TLS_HANDSHAKE_STARTED",
      "a handshake is under way: set certificates, keys and ciphers before it begins or after "
      "it is complete");
}

FailurePtr use_own(const engine::Connection& connection, const openssl::Credentials& credentials) {
  if (FailurePtr failure = handshake_started(connection)) return failure;
  SSL* ssl = connection.ssl();
  return openssl::use_credentials(ssl, credentials, false);
}

FailurePtr set_verification(engine::Connection& connection, int mode, bool go_on, bool asks) {
  if (connection.suspended()) return engine::Connection::suspended_failure();
  if (!connection.set_asking(asks)) return engine::Connection::cannot_ask();
  openssl::set_verification(connection.ssl(), mode, go_on);
  return nullptr;
}

std::unique_ptr<engine::ClearSource> pin_view(const Call& call, std::span<const std::uint8_t>) {
  return PinnedView::of(call.env, call[1]);
}

}  // namespace

std::unique_ptr<ConnectionHandle> ConnectionHandle::construct(const Call& call) {
  Delivery* delivery = Delivery::required(call.env);
  if (delivery == nullptr) return nullptr;
  ContextHandle* context = handle_argument<ContextHandle>(call, 0, "context");
  if (context == nullptr) return nullptr;
  IoPoolHandle* pool = nullptr;
  if (!is_nullish(call.env, call[3])) {
    pool = handle_argument<IoPoolHandle>(call, 3, "pool");
    if (pool == nullptr) return nullptr;
  }
  std::int32_t id = 0;
  if (!call.read(1, "id", id)) return nullptr;
  OptionsReader reader(call.env, call[2], "options");
  const engine::ConnectionOptions options = read_options(reader);
  openssl::Credentials credentials;
  read_credentials(reader, credentials);
  if (!reader.ok()) return nullptr;
  std::shared_ptr<io::IoThread> thread = pool == nullptr ? nullptr : pool->choose();
  openssl::SslPtr ssl = context->context()->new_ssl(options.server);
  FailurePtr failure = ssl == nullptr ? nullptr : openssl::use_credentials(ssl.get(), credentials, true);
  if (pool != nullptr && !thread) failure = IoPoolHandle::closed_failure();
  const bool dtls = ssl != nullptr && SSL_is_dtls(ssl.get()) != 0;
  std::shared_ptr<io::Channel> channel;
  if (!failure) {
    channel =
        io::Channel::create(thread ? thread->reactor() : delivery->reactor(), id, std::move(ssl), options, failure);
  }
  if (!channel) {
    throw_failure(call.env, failure);
    return nullptr;
  }
  auto access = std::make_shared<ChannelAccess>(delivery->shared_from_this(), std::move(channel), std::move(thread));
  return std::make_unique<ConnectionHandle>(context->context(), std::move(access), dtls);
}

napi_value ConnectionHandle::fail(napi_env env, FailurePtr failure) {
  failure_ = std::move(failure);
  return status(env, Status::failed);
}

napi_value ConnectionHandle::closed_failure(napi_env env) {
  return fail(env, openssl::named_failure("ERR_TLS_CLOSED", "The connection is closed"));
}

napi_value ConnectionHandle::take_failure(const Call& call) {
  const FailurePtr failure = std::exchange(failure_, nullptr);
  return failure ? failure_to_object(call.env, *failure) : null(call.env);
}

FailurePtr ConnectionHandle::use_socket(io::Fd& fd, bool sole) {
  if (!access_->remote()) {
    const Entry entry(access_->delivery());
    return access_->local().set_socket(fd, sole);
  }
  // The thread's loop would not notice that the environment's polls it, for node, say, under whom it must not be
  // closed.
  if (FailurePtr failure = io::FdPoll::probe(*access_->delivery().reactor(), fd.get())) return failure;
  has_socket_ = true;
  if (auto local = io::local_address(fd.get())) local_address_ = std::make_unique<const io::Address>(std::move(*local));
  access_->run([fd = std::move(fd), sole](io::Channel& channel) mutable {
    if (FailurePtr failure = channel.set_socket(fd, sole)) channel.evict(failure);
  });
  return nullptr;
}

napi_value ConnectionHandle::set_fd(const Call& call) {
  int fd = -1;
  bool take = false;
  bool sole = false;
  if (!call.read(0, "fd", fd) || !call.read(1, "close", take) || !call.read(2, "sole", sole)) return nullptr;
  FailurePtr failure = transport_refused();
  if (!failure) {
    io::Fd owned = dtls_ ? io::adopt_datagram_socket(fd, take, failure) : io::adopt_stream_socket(fd, take, failure);
    if (owned) {
      peer_ = io::peer_name(owned.get());
      failure = use_socket(owned, sole);
    }
    // Refused: perhaps it is polled by somebody else, under whom it must not be closed.
    if (failure && take) owned.release();
  }
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ConnectionHandle::set_bio(const Call& call) {
  BioHandle* read = handle_argument<BioHandle>(call, 0, "read");
  BioHandle* write = read == nullptr ? nullptr : handle_argument<BioHandle>(call, 1, "write");
  if (write == nullptr) return nullptr;
  FailurePtr failure = transport_refused();
  if (!failure && (!read->endpoint() || !write->endpoint())) {
    failure = openssl::named_failure("ERR_TLS_CLOSED", "The BIO is closed");
  }
  if (!failure && access_->remote()) {
    failure = openssl::named_failure("ERR_TLS_IO_POOL_TRANSPORT",
                                     "A connection on an IoPool talks through a socket, which its thread can poll: "
                                     "call setFd(), or make the Ssl without \"io\"");
  }
  if (!failure) {
    const Entry entry(access_->delivery());
    failure = access_->local().set_bios(read->endpoint(), write->endpoint());
  }
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

FailurePtr ConnectionHandle::transport_refused() {
  if (access_->closed()) return openssl::named_failure("ERR_TLS_CLOSED", "The connection is closed");
  if (!access_->remote()) return access_->local().transport_refused();
  return has_socket_ ? io::Channel::has_transport_failure() : nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// Ordered operations

napi_value ConnectionHandle::finish(napi_env env, io::Channel::Outcome outcome) {
  switch (outcome.kind) {
    case io::Channel::Outcome::Kind::pending:
      return status(env, Status::pending);
    case io::Channel::Outcome::Kind::failed:
      return fail(env, std::move(outcome.failure));
    default:
      return status(env, Status::done);
  }
}

napi_value ConnectionHandle::start(const Call& call, Kind kind, const char* flag_name) {
  engine::Operation operation;
  operation.kind = kind;
  if (!call.read(0, "op", operation.id)) return nullptr;
  if (flag_name != nullptr && !call.read(1, flag_name, operation.flag)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  if (access_->remote()) return submit(call.env, std::move(operation));
  const Entry entry(access_->delivery());
  return finish(call.env, access_->local().start(std::move(operation)));
}

// To another thread: it ends with an event, however it ends.
napi_value ConnectionHandle::submit(napi_env env, engine::Operation operation) {
  const bool sent = access_->run(
      [operation = std::move(operation)](io::Channel& channel) mutable { channel.start(std::move(operation), false); });
  return sent ? status(env, Status::pending) : fail(env, IoPoolHandle::closed_failure());
}

napi_value ConnectionHandle::handshake(const Call& call) { return start(call, Kind::handshake, nullptr); }
napi_value ConnectionHandle::key_update(const Call& call) { return start(call, Kind::key_update, "requestPeer"); }
napi_value ConnectionHandle::renegotiate(const Call& call) { return start(call, Kind::renegotiate, "abbreviated"); }
napi_value ConnectionHandle::request_client_certificate(const Call& call) {
  return start(call, Kind::client_certificate, "required");
}
napi_value ConnectionHandle::shutdown(const Call& call) {
  // What is written after it fails, and is told so.
  if (access_->remote()) access_->write_ahead()->close();
  return start(call, Kind::shutdown, "wait");
}

// Encrypts what goes at once without pinning anything; the rest becomes an operation.
napi_value ConnectionHandle::start_write(const Call& call, engine::OperationId id, std::span<const std::uint8_t> clear,
                                         std::unique_ptr<engine::ClearSource> (*pin)(const Call&,
                                                                                     std::span<const std::uint8_t>)) {
  io::Channel& channel = access_->local();
  std::size_t taken = 0;
  if (!clear.empty() && channel.write_now(clear, taken)) return status(call.env, Status::done);
  engine::Operation operation;
  operation.id = id;
  operation.kind = Kind::write;
  operation.offset = taken;
  operation.length = clear.size();
  if (taken != 0) operation.phase = engine::Operation::Phase::running;
  if (taken < clear.size()) {
    operation.source = pin(call, clear);
    if (!operation.source)
      return fail(call.env, openssl::named_failure("ERR_TLS_INTERNAL", "The memory could not be referenced"));
  }
  return finish(call.env, channel.start(std::move(operation)));
}

// Done as soon as it is sent to the thread, as long as little is on its way there: a round trip for each write would
// cost more than the copy.
napi_value ConnectionHandle::submit_write(napi_env env, engine::OperationId id, std::span<const std::uint8_t> clear) {
  const std::shared_ptr<WriteAhead>& ahead = access_->write_ahead();
  const bool told = !ahead->permits(clear.size());
  engine::Operation operation;
  operation.id = told ? id : engine::kUntold;
  operation.kind = Kind::write;
  operation.length = clear.size();
  operation.source = std::make_unique<CopiedBytes>(clear, access_->delivery().blocks(), ahead);
  const bool sent = access_->run([operation = std::move(operation), ahead](io::Channel& channel) mutable {
    channel.start(std::move(operation), false);
    ahead->set_open(channel.connection() != nullptr && channel.connection()->open_for_writing());
  });
  if (!sent) return fail(env, IoPoolHandle::closed_failure());
  return status(env, told ? Status::pending : Status::done);
}

napi_value ConnectionHandle::write(const Call& call) {
  engine::OperationId id = 0;
  View clear;
  if (!call.read(0, "op", id) || !call.read(1, "data", clear)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  if (access_->remote()) return submit_write(call.env, id, clear);
  const Entry entry(access_->delivery());
  return start_write(call, id, clear, pin_view);
}

napi_value ConnectionHandle::writev(const Call& call) {
  engine::OperationId id = 0;
  std::uint32_t length = 0;
  if (!call.read(0, "op", id)) return nullptr;
  if (napi_get_array_length(call.env, call[1], &length) != napi_ok)
    return call.reject("chunks", "an array of views"), nullptr;
  if (access_->closed()) return closed_failure(call.env);
  const Entry entry(access_->delivery());
  std::vector<std::uint8_t>& gather = access_->delivery().cleared_gather();
  bool refused = false;  // something was not taken: everything behind it waits in one operation
  for (std::uint32_t index = 0; index < length; ++index) {
    napi_value element = nullptr;
    View clear;
    if (napi_get_element(call.env, call[1], index, &element) != napi_ok || !from_js(call.env, element, clear)) {
      return call.reject("chunks", "an array of Buffers, TypedArrays or DataViews"), nullptr;
    }
    gather.insert(gather.end(), clear.begin(), clear.end());
    if (!refused && !access_->remote() && gather.size() >= kGathered) {
      std::size_t taken = 0;
      refused = !access_->local().write_now(gather, taken);
      gather.erase(gather.begin(), gather.begin() + static_cast<std::ptrdiff_t>(taken));
    }
  }
  if (access_->remote()) return submit_write(call.env, id, gather);
  return start_write(call, id, gather, [](const Call&, std::span<const std::uint8_t> rest) {
    return std::unique_ptr<engine::ClearSource>(
        std::make_unique<OwnedBytes>(std::vector<std::uint8_t>(rest.begin(), rest.end())));
  });
}

napi_value ConnectionHandle::send_file(const Call& call) {
  engine::Operation operation;
  operation.kind = Kind::send_file;
  int fd = -1;
  if (!call.read(0, "op", operation.id) || !call.read(1, "fd", fd)) return nullptr;
  if (!call.read(2, "offset", operation.file_begin)) return nullptr;
  operation.length = engine::kWholeFile;
  if (!is_nullish(call.env, call[3]) && !call.read(3, "length", operation.length)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  FailurePtr failure;
  operation.file = io::File::open(fd, failure);
  if (!operation.file) return fail(call.env, std::move(failure));
  // By an event on every thread: its result has room for large files.
  return submit(call.env, std::move(operation));
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

// ---------------------------------------------------------------------------------------------------------------------
// At once

napi_value ConnectionHandle::schedule(napi_env env, const std::function<FailurePtr(engine::Connection&)>& what) {
  if (access_->closed()) return closed_failure(env);
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) {
    failure = what(*channel.connection());
    channel.pump();
  });
  return failure ? fail(env, std::move(failure)) : status(env, Status::done);
}

napi_value ConnectionHandle::schedule_key_update(const Call& call) {
  int type = 0;
  if (!call.read(0, "type", type)) return nullptr;
  return schedule(call.env, [type](engine::Connection& connection) { return connection.schedule_key_update(type); });
}

napi_value ConnectionHandle::schedule_renegotiate(const Call& call) {
  bool abbreviated = false;
  if (!call.read(0, "abbreviated", abbreviated)) return nullptr;
  return schedule(
      call.env, [abbreviated](engine::Connection& connection) { return connection.schedule_renegotiate(abbreviated); });
}

napi_value ConnectionHandle::set_shutdown(const Call& call) {
  int state = 0;
  if (!call.read(0, "state", state)) return nullptr;
  return schedule(call.env, [state](engine::Connection& connection) { return connection.set_shutdown(state); });
}

napi_value ConnectionHandle::set_quiet_shutdown(const Call& call) {
  bool on = false;
  if (!call.read(0, "on", on)) return nullptr;
  access_->run([on](io::Channel& channel) { SSL_set_quiet_shutdown(channel.connection()->ssl(), on ? 1 : 0); });
  return undefined(call.env);
}

napi_value ConnectionHandle::cancel(const Call& call) {
  engine::OperationId id = 0;
  if (!call.read(0, "op", id)) return nullptr;
  auto cancelled = engine::Connection::Cancelled::unknown;
  access_->ask([&](io::Channel& channel) { cancelled = channel.cancel(id); });
  return to_js(call.env, static_cast<std::int32_t>(cancelled));
}

// Whoever answers too late is told nothing: the handshake has ended otherwise.
napi_value ConnectionHandle::answer(const Call& call) {
  engine::QuestionId id = 0;
  engine::Answer answer;
  if (!call.read(0, "question", id) || !call.read(1, "result", answer.result)) return nullptr;
  if (!call.read(2, "failed", answer.failed)) return nullptr;
  if (access_->closed()) return undefined(call.env);
  access_->run([id, answer](io::Channel& channel) { channel.answer(id, answer); });
  return undefined(call.env);
}

napi_value ConnectionHandle::close(const Call& call) {
  access_->close();
  return undefined(call.env);
}

napi_value ConnectionHandle::move_to_loop(const Call& call) {
  engine::OperationId id = 0;
  if (!call.read(0, "op", id)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  if (!access_->remote()) return status(call.env, Status::done);
  if (!access_->move_to_loop(id)) return fail(call.env, IoPoolHandle::closed_failure());
  return status(call.env, Status::pending);
}

napi_value ConnectionHandle::observe(const Call& call) {
  std::uint32_t mask = 0;
  if (!call.read(0, "mask", mask)) return nullptr;
  access_->run([mask](io::Channel& channel) { channel.connection()->observe(mask); });
  return undefined(call.env);
}

napi_value ConnectionHandle::ref(const Call& call) {
  access_->run([](io::Channel& channel) { channel.set_user_ref(true); });
  return undefined(call.env);
}

napi_value ConnectionHandle::unref(const Call& call) {
  access_->run([](io::Channel& channel) { channel.set_user_ref(false); });
  return undefined(call.env);
}

napi_value ConnectionHandle::set_session(const Call& call) {
  SessionHandle* session = handle_argument<SessionHandle>(call, 0, "session");
  if (session == nullptr) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  const openssl::SessionPtr copy = session->session()->for_connection();
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) {
    engine::Connection& connection = *channel.connection();
    failure = connection.suspended() ? engine::Connection::suspended_failure()
                                     : openssl::use_session(connection.ssl(), copy.get());
  });
  return failure ? fail(call.env, std::move(failure)) : status(call.env, Status::done);
}

napi_value ConnectionHandle::set_verify(const Call& call) {
  int mode = 0;
  if (!call.read(0, "mode", mode)) return nullptr;
  bool go_on = false;
  if (!call.read(1, "continue", go_on)) return nullptr;
  bool asks = false;
  if (!call.read(2, "asks", asks)) return nullptr;
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) { failure = set_verification(*channel.connection(), mode, go_on, asks); });
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ConnectionHandle::use_credentials(const Call& call) {
  openssl::Credentials credentials;
  OptionsReader reader(call.env, call[0], "credentials");
  read_credentials(reader, credentials);
  if (!reader.ok()) return nullptr;
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) { failure = use_own(*channel.connection(), credentials); });
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ConnectionHandle::set_ciphers(const Call& call) {
  std::optional<std::string> list;
  std::optional<std::string> suites;
  OptionsReader reader(call.env, call[0], "ciphers");
  reader.read("cipherList", list).read("ciphersuites", suites);
  if (!reader.ok()) return nullptr;
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) {
    const engine::Connection& connection = *channel.connection();
    failure = handshake_started(connection);
    if (!failure) failure = openssl::set_ciphers(connection.ssl(), list, suites);
  });
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ConnectionHandle::check_private_key(const Call& call) {
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) { failure = openssl::check_private_key(channel.connection()->ssl()); });
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

napi_value ConnectionHandle::set_no_delay(const Call& call) {
  bool on = false;
  if (!call.read(0, "on", on)) return nullptr;
  access_->run([on](io::Channel& channel) {
    if (channel.fd() >= 0) io::set_no_delay(channel.fd(), on);
  });
  return undefined(call.env);
}

napi_value ConnectionHandle::set_keep_alive(const Call& call) {
  bool on = false;
  std::uint32_t seconds = 0;
  if (!call.read(0, "on", on) || !call.read(1, "seconds", seconds)) return nullptr;
  access_->run([on, seconds](io::Channel& channel) {
    if (channel.fd() >= 0) io::set_keep_alive(channel.fd(), on, seconds);
  });
  return undefined(call.env);
}

std::vector<napi_property_descriptor> ConnectionHandle::operations() {
  using Self = ConnectionHandle;
  return {
      method<&Self::set_fd>("setFd"),
      method<&Self::set_bio>("setBio"),
      method<&Self::handshake>("handshake"),
      method<&Self::write>("write"),
      method<&Self::writev>("writev"),
      method<&Self::send_file>("sendFile"),
      method<&Self::key_update>("keyUpdate"),
      method<&Self::renegotiate>("renegotiate"),
      method<&Self::request_client_certificate>("requestClientCertificate"),
      method<&Self::shutdown>("shutdown"),
      method<&Self::read>("read"),
      method<&Self::read_into>("readInto"),
      method<&Self::start_reading>("startReading"),
      method<&Self::stop_reading>("stopReading"),
      method<&Self::set_read_buffer>("setReadBuffer"),
      method<&Self::schedule_key_update>("scheduleKeyUpdate"),
      method<&Self::schedule_renegotiate>("scheduleRenegotiate"),
      method<&Self::set_shutdown>("setShutdown"),
      method<&Self::set_quiet_shutdown>("setQuietShutdown"),
      method<&Self::cancel>("cancel"),
      method<&Self::answer>("answer"),
      method<&Self::close>("close"),
      method<&Self::move_to_loop>("moveToLoop"),
      method<&Self::take_failure>("takeFailure"),
      method<&Self::observe>("observe"),
      method<&Self::ref>("ref"),
      method<&Self::unref>("unref"),
      method<&Self::set_session>("setSession"),
      method<&Self::set_verify>("setVerify"),
      method<&Self::use_credentials>("useCredentials"),
      method<&Self::set_ciphers>("setCiphers"),
      method<&Self::check_private_key>("checkPrivateKey"),
      method<&Self::set_no_delay>("setNoDelay"),
      method<&Self::set_keep_alive>("setKeepAlive"),
  };
}

}  // namespace system_tls::binding
