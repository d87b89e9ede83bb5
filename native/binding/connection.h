// NativeConnection of types/binding.d.ts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "binding/channel_access.h"
#include "binding/context.h"
#include "binding/core/wrap.h"
#include "io/channel.h"
#include "io/transports/socket.h"

namespace system_tls::binding {

class ConnectionHandle {
 public:
  static constexpr const char* kName = "NativeConnection";
  static constexpr ClassId kClass = ClassId::Connection;

  static std::unique_ptr<ConnectionHandle> construct(const Call& call);
  ConnectionHandle(std::shared_ptr<const openssl::Context> context, std::shared_ptr<ChannelAccess> access, bool dtls)
      : context_(std::move(context)), access_(std::move(access)), dtls_(dtls) {}
  // A finalizer: nothing here runs JavaScript.
  ~ConnectionHandle() { access_->drop(); }

  // connection_operations.cc
  napi_value set_fd(const Call& call);
  napi_value accept(const Call& call);
  napi_value begin(const Call& call);
  napi_value set_bio(const Call& call);
  napi_value handshake(const Call& call);
  napi_value key_update(const Call& call);
  napi_value renegotiate(const Call& call);
  napi_value request_client_certificate(const Call& call);
  napi_value shutdown(const Call& call);
  napi_value schedule_key_update(const Call& call);
  napi_value schedule_renegotiate(const Call& call);
  napi_value cancel(const Call& call);
  napi_value answer(const Call& call);
  napi_value close(const Call& call);
  napi_value move_to_loop(const Call& call);
  napi_value take_failure(const Call& call);
  napi_value observe(const Call& call);
  napi_value ref(const Call& call);
  napi_value unref(const Call& call);

  // connection_data.cc
  napi_value write(const Call& call);
  napi_value write_gathered(const Call& call);
  napi_value send_file(const Call& call);
  napi_value read(const Call& call);
  napi_value read_into(const Call& call);
  napi_value start_reading(const Call& call);
  napi_value stop_reading(const Call& call);
  napi_value set_read_buffer(const Call& call);

  // connection_settings.cc
  napi_value set_shutdown(const Call& call);
  napi_value set_quiet_shutdown(const Call& call);
  napi_value set_max_send_fragment(const Call& call);
  napi_value set_ticket_app_data(const Call& call);
  napi_value disable_renegotiation(const Call& call);
  napi_value forbid_renegotiation(const Call& call);
  napi_value trace(const Call& call);
  napi_value set_session(const Call& call);
  napi_value set_verify(const Call& call);
  napi_value use_credentials(const Call& call);
  napi_value set_ciphers(const Call& call);
  napi_value check_private_key(const Call& call);
  napi_value set_no_delay(const Call& call);
  napi_value set_keep_alive(const Call& call);
  napi_value set_type_of_service(const Call& call);
  napi_value type_of_service(const Call& call);
  napi_value set_strict_end(const Call& call);

  // connection_state.cc
  napi_value session(const Call& call);
  napi_value closed(const Call& call);
  napi_value established(const Call& call);
  napi_value version(const Call& call);
  napi_value cipher(const Call& call);
  napi_value group(const Call& call);
  napi_value alpn_protocol(const Call& call);
  napi_value servername(const Call& call);
  napi_value session_reused(const Call& call);
  napi_value security_level(const Call& call);
  napi_value ktls(const Call& call);
  napi_value verify_result(const Call& call);
  napi_value peer_certificate(const Call& call);
  napi_value peer_certificate_chain(const Call& call);
  napi_value verified_chain(const Call& call);
  napi_value certificate(const Call& call);
  napi_value client_ca_list(const Call& call);
  napi_value peer_ca_list(const Call& call);
  napi_value shared_sigalgs(const Call& call);
  napi_value ephemeral_key(const Call& call);
  napi_value export_keying_material(const Call& call);
  napi_value ocsp_response(const Call& call);
  napi_value finished(const Call& call);
  napi_value peer_finished(const Call& call);
  napi_value key_update_type(const Call& call);
  napi_value renegotiate_pending(const Call& call);
  napi_value renegotiations(const Call& call);
  napi_value context_tag(const Call& call);
  napi_value shutdown_state(const Call& call);
  napi_value psk_identity(const Call& call);
  napi_value quiet_shutdown(const Call& call);
  napi_value buffered_amount(const Call& call);
  napi_value readable_amount(const Call& call);
  napi_value idle_time(const Call& call);
  napi_value state(const Call& call);
  napi_value local_address(const Call& call);
  napi_value remote_address(const Call& call);

  static std::vector<napi_property_descriptor> operations();
  static std::vector<napi_property_descriptor> states();

 private:
  enum class Status { pending = 0, done = 1, failed = 2 };
  struct Arrival;

  static std::unique_ptr<ConnectionHandle> construct_later(Delivery& delivery,
                                                           const std::shared_ptr<const openssl::Context>& context,
                                                           const std::shared_ptr<const ConnectionOptions>& options,
                                                           std::shared_ptr<io::IoThread> thread, std::int32_t id);

  napi_value status(napi_env env, Status status) { return to_js(env, static_cast<std::int32_t>(status)); }
  napi_value fail(napi_env env, openssl::FailurePtr failure);
  napi_value closed_failure(napi_env env);
  napi_value finish(napi_env env, io::Channel::Outcome outcome);
  napi_value start(const Call& call, engine::Operation::What what);
  napi_value submit(napi_env env, engine::Operation operation);
  // Shall what is little wait for more that is written in the same turn?
  bool read_hold(const Call& call, bool& hold);
  // `hold`: what else is written in this turn may go with it.
  napi_value submit_write(napi_env env, engine::OperationId id, std::span<const std::uint8_t> clear, bool hold);
  napi_value write_ahead(napi_env env, std::span<const std::uint8_t> clear, bool hold);
  napi_value submit_large_write(const Call& call, engine::OperationId id, std::span<const std::uint8_t> clear);
  napi_value send_write(napi_env env, engine::Operation operation);
  napi_value submit_read(napi_env env, engine::ReadOperation read);
  using Pin = std::unique_ptr<engine::ClearSource> (*)(const Call& call, std::span<const std::uint8_t> rest);
  napi_value start_write(const Call& call, engine::OperationId id, std::span<const std::uint8_t> clear, bool hold,
                         Pin pin);
  napi_value finish_read(napi_env env, const io::Channel::Outcome& outcome);
  napi_value set(napi_env env, const std::function<openssl::FailurePtr(engine::Connection&)>& what);
  napi_value schedule(napi_env env, const std::function<openssl::FailurePtr(engine::Connection&)>& what);
  openssl::FailurePtr transport_refused();
  std::optional<io::Address> find_local_address() const;
  openssl::FailurePtr use_socket(io::Fd& fd, bool sole);
  openssl::FailurePtr adopt(int fd, bool take, bool sole);
  openssl::FailurePtr adopt(io::OfferedSockets::Offered offered, bool sole);
  void note_offered(io::OfferedSockets::Offered& offered);
  static io::Channel::Outcome arrive(io::Channel& channel, const Arrival& arrival, bool now);
  napi_value begin_arrival(napi_env env, io::Fd& fd, const Arrival& arrival);
  napi_value submit_arrival(napi_env env, io::Fd fd, const Arrival& arrival);
  void note_local_address(std::optional<io::Address> address);

  // Outlives the SSL: its SSL_CTX has callbacks that use what the Context holds.
  std::shared_ptr<const openssl::Context> context_;
  std::shared_ptr<ChannelAccess> access_;
  openssl::FailurePtr failure_;
  const bool dtls_;
  // As it was set here.
  std::optional<bool> quiet_shutdown_;
  // On an I/O thread: noted when the descriptor was given.
  bool has_socket_ = false;
  std::unique_ptr<const io::Address> local_address_;
  // Kept for those who ask when the peer is gone.
  io::PeerName peer_;
};

bool define_connection(napi_env env, napi_value exports);

// NativeAddress; null in JavaScript if there is none.
napi_value address_to_js(napi_env env, const std::optional<io::Address>& address);

}  // namespace system_tls::binding
