// What is set on a connection, at once and in whatever state it is.
#include <cerrno>
#include <utility>

#include "binding/connection.h"
#include "binding/core/failure.h"
#include "binding/core/options_reader.h"
#include "binding/credentials.h"
#include "binding/session.h"
#include "io/transports/socket.h"
#include "openssl/context/identity.h"
#include "openssl/context/negotiation.h"
#include "openssl/session/resumption.h"
#include "openssl/session/ticket_app_data.h"
#include "openssl/trust/verification.h"

namespace system_tls::binding {

using openssl::FailurePtr;

namespace {

// What has been sent of a handshake cannot be taken back; between handshakes the next one will use what is set.
bool in_handshake(const SSL* ssl) { return SSL_in_before(ssl) == 0 && SSL_in_init(ssl) != 0; }

FailurePtr handshake_started(const engine::Connection& connection) {
  if (!connection.suspended() && !in_handshake(connection.ssl())) return nullptr;
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

struct Verification {
  int mode = 0;
  bool go_on = false;
  bool asks = false;
  openssl::Bytes session_policy;
  std::optional<int> policy;
};

// In the middle of a handshake nobody knows under which policy its session will have been verified: it stays alone.
FailurePtr separate_sessions(SSL* ssl, const Verification& wanted) {
  const openssl::ErrorScope scope;
  if (in_handshake(ssl)) return openssl::resume_nothing(ssl);
  if (openssl::separate_sessions(ssl, wanted.mode, wanted.go_on, wanted.session_policy)) return nullptr;
  return openssl::openssl_failure("The connection's sessions could not be kept apart");
}

FailurePtr set_verification(engine::Connection& connection, const Verification& wanted) {
  if (connection.suspended()) return engine::Connection::suspended_failure();
  const bool asked = connection.may_ask(engine::kAskVerification);
  if (!connection.set_may_ask(engine::kAskVerification, wanted.asks)) return engine::Connection::cannot_ask();
  if (connection.server()) {
    if (FailurePtr failure = separate_sessions(connection.ssl(), wanted)) {
      connection.set_may_ask(engine::kAskVerification, asked);
      return failure;
    }
  }
  connection.note_own_verification(wanted.session_policy);
  SSL* ssl = connection.ssl();
  openssl::set_verification(ssl, wanted.mode, wanted.go_on);
  if (wanted.policy) {
    openssl::set_session_policy(ssl, *wanted.policy);
    // An abbreviated renegotiation would verify nothing.
    if (!connection.server() && connection.established()) openssl::withhold_session(ssl);
  }
  return nullptr;
}

// A session that was made at another level must not take the place of a certificate that this one would refuse.
FailurePtr forget_sessions(const engine::Connection& connection) {
  SSL* ssl = connection.ssl();
  if (connection.server()) return openssl::resume_nothing(ssl);
  if (SSL_in_before(ssl) == 0) {
    openssl::withhold_session(ssl);
    return nullptr;
  }
  return SSL_set_session(ssl, nullptr) == 1 ? nullptr : openssl::openssl_failure("The session could not be taken back");
}

// @SECLEVEL in a list of ciphers is a policy too.
FailurePtr use_own_ciphers(engine::Connection& connection, const std::optional<std::string>& list,
                           const std::optional<std::string>& suites, int policy) {
  if (FailurePtr failure = handshake_started(connection)) return failure;
  SSL* ssl = connection.ssl();
  const int before = SSL_get_security_level(ssl);
  if (FailurePtr failure = openssl::set_ciphers(ssl, list, suites)) return failure;
  if (SSL_get_security_level(ssl) == before) return nullptr;
  openssl::set_session_policy(ssl, policy);
  return forget_sessions(connection);
}

}  // namespace

napi_value ConnectionHandle::set_shutdown(const Call& call) {
  int state = 0;
  if (!call.read(0, "state", state)) return nullptr;
  return schedule(call.env, [state](engine::Connection& connection) { return connection.set_shutdown(state); });
}

napi_value ConnectionHandle::set_quiet_shutdown(const Call& call) {
  bool on = false;
  if (!call.read(0, "on", on)) return nullptr;
  quiet_shutdown_ = on;
  access_->run([on](io::Channel& channel) { channel.connection()->set_quiet_shutdown(on); });
  return undefined(call.env);
}

napi_value ConnectionHandle::set_max_send_fragment(const Call& call) {
  std::uint32_t size = 0;
  if (!call.read(0, "size", size)) return nullptr;
  access_->run([size](io::Channel& channel) { channel.connection()->set_max_send_fragment(size); });
  return undefined(call.env);
}

// Out of memory, sessions have what they had before.
napi_value ConnectionHandle::set_ticket_app_data(const Call& call) {
  std::optional<openssl::Bytes> data;
  if (!is_nullish(call.env, call[0])) {
    View bytes;
    if (!call.read(0, "data", bytes)) return nullptr;
    data.emplace(bytes.begin(), bytes.end());
  }
  access_->run([data = std::move(data)](io::Channel& channel) mutable {
    openssl::set_ticket_app_data(channel.connection()->ssl(), std::move(data));
  });
  return undefined(call.env);
}

napi_value ConnectionHandle::disable_renegotiation(const Call& call) {
  access_->run([](io::Channel& channel) { channel.connection()->disable_renegotiation(); });
  return undefined(call.env);
}

napi_value ConnectionHandle::forbid_renegotiation(const Call& call) {
  access_->run([](io::Channel& channel) { channel.connection()->forbid_renegotiation(); });
  return undefined(call.env);
}

napi_value ConnectionHandle::trace(const Call& call) {
  access_->run([](io::Channel& channel) { channel.connection()->trace(); });
  return undefined(call.env);
}

// What is refused is thrown; what ended the connection is told as by an operation, for one error object in all.
napi_value ConnectionHandle::set(napi_env env, const std::function<FailurePtr(engine::Connection&)>& what) {
  FailurePtr failure;
  bool dead = false;
  access_->ask([&](io::Channel& channel) {
    engine::Connection& connection = *channel.connection();
    dead = connection.dead();
    failure = dead ? connection.failure() : what(connection);
    connection.note_negotiated();
  });
  if (dead) return fail(env, std::move(failure));
  return failure ? throw_failure(env, failure) : status(env, Status::done);
}

napi_value ConnectionHandle::set_session(const Call& call) {
  SessionHandle* session = handle_argument<SessionHandle>(call, 0, "session");
  if (session == nullptr) return nullptr;
  if (access_->closed()) return closed_failure(call.env);
  const openssl::SessionPtr copy = session->session()->for_connection();
  FailurePtr failure;
  access_->ask([&](io::Channel& channel) {
    engine::Connection& connection = *channel.connection();
    if (connection.dead()) {
      failure = connection.failure();
    } else if (connection.suspended()) {
      failure = engine::Connection::suspended_failure();
    } else {
      failure = openssl::use_session(connection.ssl(), copy.get());
    }
  });
  return failure ? fail(call.env, std::move(failure)) : status(call.env, Status::done);
}

napi_value ConnectionHandle::set_verify(const Call& call) {
  Verification wanted;
  View session_policy;
  if (!call.read(0, "mode", wanted.mode) || !call.read(1, "continue", wanted.go_on) ||
      !call.read(2, "asks", wanted.asks) || !call.read(3, "sessionPolicy", session_policy)) {
    return nullptr;
  }
  int policy = 0;
  if (!is_nullish(call.env, call[4])) {
    if (!call.read(4, "policy", policy)) return nullptr;
    wanted.policy = policy;
  }
  wanted.session_policy.assign(session_policy.begin(), session_policy.end());
  return set(call.env, [&](engine::Connection& connection) { return set_verification(connection, wanted); });
}

napi_value ConnectionHandle::use_credentials(const Call& call) {
  openssl::Credentials credentials;
  OptionsReader reader(call.env, call[0], "credentials");
  read_credentials(reader, credentials);
  if (!reader.ok()) return nullptr;
  return set(call.env, [&](engine::Connection& connection) { return use_own(connection, credentials); });
}

napi_value ConnectionHandle::set_ciphers(const Call& call) {
  std::optional<std::string> list;
  std::optional<std::string> suites;
  OptionsReader reader(call.env, call[0], "ciphers");
  reader.read("cipherList", list).read("ciphersuites", suites);
  if (!reader.ok()) return nullptr;
  int policy = 0;
  if (!call.read(1, "policy", policy)) return nullptr;
  return set(call.env,
             [&](engine::Connection& connection) { return use_own_ciphers(connection, list, suites, policy); });
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

// Both wait for a thread: whoever sets hears whether it could be done.
napi_value ConnectionHandle::set_type_of_service(const Call& call) {
  std::int32_t value = 0;
  if (!call.read(0, "value", value)) return nullptr;
  int failed = EBADF;
  access_->ask([&](io::Channel& channel) {
    if (channel.fd() >= 0) failed = io::set_type_of_service(channel.fd(), value);
  });
  return to_js(call.env, -failed);
}

napi_value ConnectionHandle::type_of_service(const Call& call) {
  int value = -EBADF;
  access_->ask([&](io::Channel& channel) {
    if (channel.fd() >= 0) value = io::type_of_service(channel.fd());
  });
  return to_js(call.env, value);
}

napi_value ConnectionHandle::set_strict_end(const Call& call) {
  bool on = false;
  if (!call.read(0, "on", on)) return nullptr;
  access_->run([on](io::Channel& channel) { channel.connection()->set_strict_end(on); });
  return undefined(call.env);
}

}  // namespace system_tls::binding
