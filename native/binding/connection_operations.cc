// What JavaScript asks a connection to do.
#include <algorithm>
#include <utility>

#include "binding/bio.h"
#include "binding/connection.h"
#include "binding/connection_options.h"
#include "binding/core/failure.h"
#include "binding/io_pool.h"
#include "binding/questions.h"
#include "io/reactor/fd_poll.h"
#include "io/transports/socket.h"
#include "openssl/context/identity.h"

namespace system_tls::binding {

using engine::Operation;
using openssl::FailurePtr;

namespace {

// On the thread where it will live: one of many of a server, for which nothing is wrong with the options.
bool may_be_made_later(const ConnectionOptions& options) {
  const openssl::Credentials& own = options.credentials;
  const bool none =
      own.cert.empty() && own.key.empty() && own.pfx.empty() && own.cert_uri.empty() && own.key_uri.empty();
  return options.engine.server && none;
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
  std::shared_ptr<io::IoThread> thread = pool == nullptr ? nullptr : pool->choose();
  if (pool != nullptr && !thread) return throw_failure(call.env, IoPoolHandle::closed_failure()), nullptr;
  const auto* shared = unwrap<SharedOptionsHandle>(call.env, call[2]);
  if (shared != nullptr && thread && may_be_made_later(*shared->options()))
    return construct_later(*delivery, context->context(), shared->options(), std::move(thread), id);
  ConnectionOptions own;
  if (shared == nullptr && !read_connection_options(call.env, call[2], own)) return nullptr;
  const ConnectionOptions& options = shared == nullptr ? own : *shared->options();
  openssl::SslPtr ssl = context->context()->new_ssl(options.engine.server);
  FailurePtr failure = ssl == nullptr ? nullptr : openssl::use_credentials(ssl.get(), options.credentials, true);
  const bool dtls = ssl != nullptr && SSL_is_dtls(ssl.get()) != 0;
  std::shared_ptr<io::Channel> channel;
  if (!failure) {
    channel = io::Channel::create(thread ? thread->reactor() : delivery->reactor(), id, std::move(ssl), options.engine,
                                  failure);
  }
  if (!channel) {
    throw_failure(call.env, failure);
    return nullptr;
  }
  auto access = std::make_shared<ChannelAccess>(delivery->shared_from_this(), std::move(channel), std::move(thread));
  return std::make_unique<ConnectionHandle>(context->context(), std::move(access), dtls);
}

// One of many of a server, on an I/O thread: never DTLS, whose servers have datagrams of JavaScript's.
std::unique_ptr<ConnectionHandle> ConnectionHandle::construct_later(
    Delivery& delivery, const std::shared_ptr<const openssl::Context>& context,
    const std::shared_ptr<const ConnectionOptions>& options, std::shared_ptr<io::IoThread> thread, std::int32_t id) {
  auto channel = std::make_shared<io::Channel>(thread->reactor(), id);
  auto access = std::make_shared<ChannelAccess>(delivery.shared_from_this(), std::move(channel), std::move(thread),
                                                ChannelAccess::Recipe{context, options});
  return std::make_unique<ConnectionHandle>(context, std::move(access), false);
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
  has_socket_ = true;
  access_->run([fd = std::move(fd), sole](io::Channel& channel) mutable {
    if (FailurePtr failure = channel.set_socket(fd, sole)) {
      channel.evict(failure);
    } else {
      channel.publish();
    }
  });
  return nullptr;
}

// A descriptor of whoever called: what it is has to be looked at.
FailurePtr ConnectionHandle::adopt(int fd, bool take, bool sole) {
  FailurePtr failure;
  io::Fd owned = dtls_ ? io::adopt_datagram_socket(fd, take, failure) : io::adopt_stream_socket(fd, take, failure);
  if (!owned) return failure;
  peer_ = io::peer_name(owned.get());
  std::optional<io::Address> local;
  if (access_->remote()) {
    // The thread's loop would not notice that the environment's polls it, for node, say, under whom it must not be
    // closed. A duplicate nobody else knows.
    if (take) failure = io::FdPoll::probe(*access_->delivery().reactor(), owned.get());
    local = io::local_address(owned.get());
  }
  if (!failure) failure = use_socket(owned, sole);
  if (!failure) note_local_address(std::move(local));
  // Refused: perhaps it is polled by somebody else, under whom it must not be closed.
  if (failure && take) owned.release();
  return failure;
}

// What a listener has accepted nobody else knows, and all that has to be known of it is there.
FailurePtr ConnectionHandle::adopt(io::OfferedSockets::Offered offered, bool sole) {
  note_offered(offered);
  FailurePtr failure = use_socket(offered.fd, sole);
  if (failure) offered.fd.release();
  return failure;
}

void ConnectionHandle::note_offered(io::OfferedSockets::Offered& offered) {
  peer_ = offered.peer;
  if (!access_->remote()) return;
  if (!offered.local) offered.local = io::local_address(offered.fd.get());
  note_local_address(std::move(offered.local));
}

// On an I/O thread the descriptor is out of reach of those who ask.
void ConnectionHandle::note_local_address(std::optional<io::Address> address) {
  if (address && access_->remote()) local_address_ = std::make_unique<const io::Address>(std::move(*address));
}

napi_value ConnectionHandle::set_fd(const Call& call) {
  int fd = -1;
  bool take = false;
  bool sole = false;
  if (!call.read(0, "fd", fd) || !call.read(1, "close", take) || !call.read(2, "sole", sole)) return nullptr;
  FailurePtr failure = transport_refused();
  if (!failure) {
    auto offered = take ? access_->delivery().reactor()->offered()->take(fd) : std::nullopt;
    failure = offered ? adopt(std::move(*offered), sole) : adopt(fd, take, sole);
  }
  return failure ? throw_failure(call.env, failure) : undefined(call.env);
}

// How a server's connection begins.
struct ConnectionHandle::Arrival {
  engine::OperationId handshake = 0;
  bool no_delay = false;
  std::int32_t keep_alive = -1;  // seconds; less than 0: off
  bool reads = false;
  bool strict_end = true;
};

io::Channel::Outcome ConnectionHandle::arrive(io::Channel& channel, const Arrival& arrival, bool now) {
  if (const int fd = channel.fd(); fd >= 0) {
    if (arrival.no_delay) io::set_no_delay(fd, true);
    if (arrival.keep_alive >= 0) io::set_keep_alive(fd, true, static_cast<unsigned>(arrival.keep_alive));
  }
  channel.connection()->set_strict_end(arrival.strict_end);
  io::Channel::Outcome outcome = channel.start({arrival.handshake, Operation::Handshake{}}, now);
  if (arrival.reads) {
    channel.note_arrival(arrival.handshake);
    channel.start_flow();
  }
  return outcome;
}

// All that a server asks of a connection, in one message where it is on a thread.
napi_value ConnectionHandle::accept(const Call& call) {
  Arrival arrival;
  int fd = -1;
  if (!call.read(0, "op", arrival.handshake) || !call.read(1, "fd", fd) || !call.read(2, "noDelay", arrival.no_delay) ||
      !call.read(3, "keepAlive", arrival.keep_alive) || !call.read(4, "reads", arrival.reads) ||
      !call.read(5, "strictEnd", arrival.strict_end)) {
    return nullptr;
  }
  FailurePtr failure = transport_refused();
  auto offered = failure ? std::nullopt : access_->delivery().reactor()->offered()->take(fd);
  if (!failure && !offered) failure = openssl::system_failure(EBADF, "accept");
  if (failure) return throw_failure(call.env, failure);
  note_offered(*offered);
  napi_value status = begin_arrival(call.env, offered->fd, arrival);
  // Refused: whoever offered it closes it.
  if (status == nullptr) offered->fd.release();
  return status;
}

// The same with a duplicate of a descriptor of whoever called.
napi_value ConnectionHandle::begin(const Call& call) {
  Arrival arrival;
  int fd = -1;
  if (!call.read(0, "op", arrival.handshake) || !call.read(1, "fd", fd) || !call.read(2, "reads", arrival.reads) ||
      !call.read(3, "strictEnd", arrival.strict_end)) {
    return nullptr;
  }
  FailurePtr failure = transport_refused();
  io::Fd own = failure ? io::Fd() : io::adopt_stream_socket(fd, false, failure);
  if (!own) return throw_failure(call.env, failure);
  peer_ = io::peer_name(own.get());
  if (access_->remote()) note_local_address(io::local_address(own.get()));
  return begin_arrival(call.env, own, arrival);
}

// Null: an exception is pending, and `fd` is still the caller's.
napi_value ConnectionHandle::begin_arrival(napi_env env, io::Fd& fd, const Arrival& arrival) {
  if (access_->remote()) return submit_arrival(env, std::move(fd), arrival);
  const Entry entry(access_->delivery());
  if (FailurePtr failure = access_->local().set_socket(fd, true)) return throw_failure(env, failure);
  return finish(env, arrive(access_->local(), arrival, true));
}

napi_value ConnectionHandle::submit_arrival(napi_env env, io::Fd fd, const Arrival& arrival) {
  has_socket_ = true;
  const bool sent = access_->run([fd = std::move(fd), arrival](io::Channel& channel) mutable {
    if (FailurePtr failure = channel.set_socket(fd, true)) {
      channel.evict(failure);
    } else if (channel.connection()->ktls_wanted()) {
      channel.publish();
    }
    arrive(channel, arrival, false);
  });
  return sent ? status(env, Status::pending) : fail(env, IoPoolHandle::closed_failure());
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

napi_value ConnectionHandle::start(const Call& call, Operation::What what) {
  engine::OperationId id = 0;
  if (!call.read(0, "op", id)) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  if (access_->remote()) return submit(call.env, {id, std::move(what)});
  const Entry entry(access_->delivery());
  return finish(call.env, access_->local().start({id, std::move(what)}));
}

// To another thread: it ends with an event, however it ends.
napi_value ConnectionHandle::submit(napi_env env, engine::Operation operation) {
  const bool sent = access_->run(
      [operation = std::move(operation)](io::Channel& channel) mutable { channel.start(std::move(operation), false); });
  return sent ? status(env, Status::pending) : fail(env, IoPoolHandle::closed_failure());
}

napi_value ConnectionHandle::handshake(const Call& call) { return start(call, Operation::Handshake{}); }

napi_value ConnectionHandle::key_update(const Call& call) {
  Operation::KeyUpdate update;
  return call.read(1, "requestPeer", update.request_peer) ? start(call, update) : nullptr;
}

napi_value ConnectionHandle::renegotiate(const Call& call) {
  Operation::Renegotiate renegotiate;
  return call.read(1, "abbreviated", renegotiate.abbreviated) ? start(call, renegotiate) : nullptr;
}

napi_value ConnectionHandle::request_client_certificate(const Call& call) {
  Operation::ClientCertificate request;
  return call.read(1, "required", request.required) ? start(call, request) : nullptr;
}

napi_value ConnectionHandle::shutdown(const Call& call) {
  Operation::Shutdown shutdown;
  if (!call.read(1, "wait", shutdown.wait)) return nullptr;
  // What is written after it fails, and is told so.
  if (access_->remote()) access_->write_ahead()->close();
  return start(call, shutdown);
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

napi_value ConnectionHandle::cancel(const Call& call) {
  engine::OperationId id = 0;
  if (!call.read(0, "op", id)) return nullptr;
  auto cancelled = engine::Cancelled::unknown;
  access_->ask([&](io::Channel& channel) { cancelled = channel.cancel(id); });
  return to_js(call.env, static_cast<std::int32_t>(cancelled));
}

// Whoever answers too late is told nothing: the handshake has ended otherwise.
napi_value ConnectionHandle::answer(const Call& call) {
  engine::QuestionId id = 0;
  std::int32_t kind = 0;
  engine::Answer answer;
  if (!call.read(0, "question", id) || !call.read(1, "kind", kind) || !read_answer(call, 2, kind, answer))
    return nullptr;
  if (!call.read(3, "failed", answer.failed)) return nullptr;
  if (access_->closed()) return undefined(call.env);
  access_->run(
      [id, answer = std::move(answer)](io::Channel& channel) mutable { channel.answer(id, std::move(answer)); });
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

std::vector<napi_property_descriptor> ConnectionHandle::operations() {
  using Self = ConnectionHandle;
  return {
      method<&Self::set_fd>("setFd"),
      method<&Self::accept>("accept"),
      method<&Self::begin>("begin"),
      method<&Self::set_bio>("setBio"),
      method<&Self::handshake>("handshake"),
      method<&Self::write>("write"),
      method<&Self::write_gathered>("writeGathered"),
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
      method<&Self::set_max_send_fragment>("setMaxSendFragment"),
      method<&Self::set_ticket_app_data>("setTicketAppData"),
      method<&Self::disable_renegotiation>("disableRenegotiation"),
      method<&Self::forbid_renegotiation>("forbidRenegotiation"),
      method<&Self::trace>("trace"),
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
      method<&Self::set_type_of_service>("setTypeOfService"),
      method<&Self::type_of_service>("typeOfService"),
      method<&Self::set_strict_end>("setStrictEnd"),
  };
}

}  // namespace system_tls::binding
