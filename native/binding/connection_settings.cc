// What is set on a connection, at once and in whatever state it is.
#include <utility>

#include "binding/connection.h"
#include "binding/credentials.h"
#include "binding/failure.h"
#include "binding/options_reader.h"
#include "binding/session.h"
#include "io/socket.h"
#include "openssl/identity.h"
#include "openssl/negotiation.h"
#include "openssl/verification.h"

namespace system_tls::binding {

using openssl::FailurePtr;

namespace {

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

}  // namespace

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

}  // namespace system_tls::binding
