// One TLS connection without I/O: ciphertext in, ciphertext out, operations in order, events recorded.
//
// Only the thread of the reactor that owns a connection touches it. Nothing here calls back into JavaScript or into the
// owner except through Events, which record.
//
// The owner's part: after anything that can make progress it calls advance(), sends what enc().out holds, and repeats
// while can_advance(); it lends received bytes, advances, and reclaims.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/callbacks/server_names.h"
#include "engine/certificate_demand.h"
#include "engine/connection_options.h"
#include "engine/ending.h"
#include "engine/events.h"
#include "engine/key_updates.h"
#include "engine/message_trace.h"
#include "engine/operations/queue.h"
#include "engine/question.h"
#include "engine/reader.h"
#include "engine/renegotiation.h"
#include "engine/suspension.h"
#include "engine/wire/enc_side.h"
#include "engine/wire/record_sizing.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

struct CertificateState;
struct HelloState;
struct PskState;

// What a connection may have to ask the application: a mask of 1 << (Subject::kKind - 1).
enum Asks : std::uint32_t {
  kAskVerification = 1,
  kAskServerName = 2,
  kAskClientHello = 4,
  kAskProtocol = 8,
  kAskCertificate = 16,
  kAskStatusRequest = 32,
  kAskStatus = 64,
  kAskSession = 128,
  kAskPsk = 256,
};

// A call in the wrong state, as OpenSSL itself names it: `reason` is one of SSL_R_....
openssl::FailurePtr misuse(int reason, const char* message);

// Encrypted in one SSL_write and sent together: sixteen full records (docs/decisions/005).
inline constexpr std::size_t kWriteBatch = 256 * 1024;

// Of files, in one advance(): bytes that may still be sent, and whether more wait for the transport although nothing of
// ours waits to be sent.
struct FileTurn {
  std::size_t budget = 0;
  bool blocked = false;
};

struct DtlsState {
  bool cookie_verified = false;
  bool listening = false;  // DTLSv1_listen(3) comes before the handshake
  bool mtu_given = false;
};

class Connection {
 public:
  // A null result: `failure` says why.
  static std::unique_ptr<Connection> create(openssl::SslPtr ssl, const ConnectionOptions& options, ChunkPool& pool,
                                            Events& events, openssl::FailurePtr& failure);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  SSL* ssl() const { return ssl_.get(); }
  EncSide& enc() { return enc_; }
  bool server() const { return server_; }
  bool established() const { return phase_ >= Phase::established; }
  bool dead() const { return ending_.dead(); }
  // A write is taken, sooner or later, unless the connection dies.
  bool open_for_writing() const { return established() && !dead() && !send_failure() && !close_notify_sent(); }
  bool close_notify_sent() const { return (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0; }
  // All that waits to be sent is our goodbye: nothing is lost with it.
  bool only_goodbye_unsent() const { return close_notify_sent() && ending_.only_goodbye(enc_.out.size()); }
  // All that waits to be sent are the session tickets of a TLS 1.3 handshake, which the peer does not wait for.
  bool only_tickets_unsent() const { return ending_.only_tickets(enc_.out.size()); }
  const openssl::FailurePtr& failure() const { return ending_.failure(); }
  // Kernel TLS was asked for: the owner looks whether the socket can, and if so gives it here before anything is read
  // or written.
  bool ktls_wanted() const { return ktls_wanted_; }
  void use_ktls(std::shared_ptr<Ktls> ktls);
  std::uint32_t renegotiations() const { return renegotiation_.count(); }
  // Grows with each change of what negotiated_by() gives; Events::negotiated() tells too. Before the first handshake is
  // complete it changes without notice.
  std::uint32_t negotiated_version() const { return negotiated_version_; }
  // Also to be called when settings have changed that it shows.
  void note_negotiated();
  // Nobody changes the current session: not in the middle of a handshake.
  bool session_settled() const { return (established() && !renegotiating()) || SSL_in_before(ssl_.get()) != 0; }
  bool tls13() const;
  bool dtls() const { return dtls_.has_value(); }

  // DTLS: how long until what the peer has not answered must be sent again; none: nothing waits for an answer.
  std::optional<std::chrono::microseconds> retransmit_in() const;
  // That time is over. advance() is to follow.
  void retransmit();

  // Operations. Those that fail at once do so by an operation_failed event, like all others.
  void start(Operation operation);
  void start_read(ReadOperation read);
  // Takes what can be encrypted now, without an operation; 0 when the order of operations or backpressure forbids.
  std::size_t write_now(std::span<const std::uint8_t> clear);
  bool out_below_mark() const { return enc_.out.size() < out_mark_; }
  Cancelled cancel(OperationId id);

  // Clear bytes to the owner as they arrive, instead of by operations. `target`: null for the slab.
  void start_flow();
  void stop_flow() { reader_.stop_flow(); }
  void set_flow_target(std::unique_ptr<ClearTarget> target) { reader_.set_flow_target(std::move(target)); }
  void flow_delivered() { reader_.flow_delivered(); }
  bool flowing() const { return reader_.flowing(); }

  // SSL_key_update, SSL_renegotiate alone: null, or why not. The connection is as it was then.
  openssl::FailurePtr schedule_key_update(int type);
  openssl::FailurePtr schedule_renegotiate(bool abbreviated);
  // SSL_set_shutdown: adds to the state; what was said already is not taken back. Null, or why not, as above.
  openssl::FailurePtr set_shutdown(int state);
  // The owner has set these, so that a context by name changes nothing about them.
  void note_own_verification(const openssl::Bytes& session_policy);
  void set_quiet_shutdown(bool on);
  void set_max_send_fragment(std::uint32_t size);
  void disable_renegotiation();
  // The peer's next one ends the connection, unanswered.
  void forbid_renegotiation() { renegotiation_.forbid(); }
  // SSL_trace(3) to the process's stderr, from now on. False: this libssl was built without.
  bool trace();
  // Off: a transport that ends between two records after the handshake stands for the peer's close_notify.
  void set_strict_end(bool on);

  // Runs as far as possible. Stops at the out mark, so that what was made is sent before more is.
  void advance();
  // Clear bytes that a read gets without the network.
  std::size_t readable() const;
  // More can be done without the network.
  bool can_advance() const;
  // Clear bytes are there, but the slab or the flow's memory is taken by events not yet delivered.
  bool blocked_on_delivery() const { return reader_.blocked_on_delivery(); }
  bool wants_input() const;
  // Waits for the transport to take more, although nothing of ours waits to be sent.
  bool blocked_on_output() const { return file_turn_.blocked; }
  // Something waits for the peer or for the transport.
  bool pending() const;

  // How it ends. A connection has two halves, and what was received is delivered before a failure is told.
  // The transport takes nothing more: what has to send fails, what reads goes on.
  void fail_sending(const openssl::FailurePtr& failure);
  bool output_broken() const { return ending_.output_broken(); }
  // Why nothing more can be written; null: it can.
  const openssl::FailurePtr& send_failure() const { return ending_.send_failure(); }
  // The transport gives nothing more behind what enc().in has; null: it ended. Told when the last byte was read.
  void end_input(openssl::FailurePtr failure);
  // Both halves are over. Operations fail at once; reads behind what was read ahead for them.
  void fail(openssl::FailurePtr why);
  // The same, and nobody will read any more.
  void abort(openssl::FailurePtr failure);
  // The peer has been told why, by a fatal alert that is or was in enc().out.
  bool alert_sent() const { return ending_.alert_is_fatal() && !ending_.last_alert().received; }
  // The peer says nothing more. A quiet shutdown counts its close_notify as received, and it may say more.
  bool input_over() const { return ending_.close_notify_received() || enc_.in.eof_seen(); }

  // Questions. False: it is not open (any more), and nothing has happened.
  bool answer(QuestionId id, Answer answer);
  // `kind`: of Asks.
  bool may_ask(std::uint32_t kind) const { return (may_ask_ & kind) != 0; }
  // False: not now, or (a server) not on this platform.
  bool set_may_ask(std::uint32_t kind, bool on);
  // A call of OpenSSL's was left unfinished: nothing else may touch the SSL, but what only looks.
  bool suspended() const { return suspension_ && suspension_->unfinished(); }
  // In an ASYNC job, which is bound to its thread, or waiting for one.
  bool uses_job() const { return suspension_ && suspension_->uses_job(); }
  bool wants_job() const { return suspension_ && suspension_->wants_job(); }
  // The next call of the handshake may have to wait in a job: a server's verification, a client's check of a stapled
  // response.
  bool may_pause() const;
  static openssl::FailurePtr suspended_failure();
  static openssl::FailurePtr cannot_ask();

  // Which of the informing events are recorded: a mask of Observe.
  void observe(std::uint32_t mask);
  // The connection has moved to another reactor, which has a pool of its own.
  void use_pool(ChunkPool& pool) {
    enc_.in.use_pool(pool);
    enc_.out.use_pool(pool);
    reader_.use_pool(pool);
  }

  // For the hooks of the SSL_CTX, which know only the SSL.
  static Connection* from(const SSL* ssl);
  void on_keylog(const char* line);
  void on_session(SSL_SESSION* session);
  bool cookie_verified() const { return dtls_ && dtls_->cookie_verified; }

  // For the callbacks that may wait: engine/callbacks. Null: this connection asks nothing.
  Suspension* suspension() const { return suspension_.get(); }
  // Inside a callback of OpenSSL's: an event of `question`, whose answer suspension() will have.
  void ask(std::shared_ptr<Subject> subject);
  // Null: nothing is decided at a ClientHello but by OpenSSL.
  HelloState* hello() const { return hello_.get(); }
  // Null: neither certificate nor OCSP response are asked for.
  CertificateState* certificate_state() const { return certificate_.get(); }
  // Inside a callback of OpenSSL's, which then fails: the handshake ends with this.
  void fail_with(openssl::FailurePtr why) { own_failure_ = std::move(why); }
  // The same for an answer that OpenSSL does not take.
  void refuse_answer(openssl::FailurePtr why);
  bool verify_by(const ContextChoice::Verification& verification);
  // Null: it has no pre-shared keys of the application's.
  PskState* psk() const { return psk_.get(); }
  // The application keeps a server's sessions, and OpenSSL none.
  bool external_sessions() const { return external_sessions_; }
  bool staples_anything() const { return staples_anything_; }
  // Instead of the context's protocols: in wire format.
  void set_alpn(openssl::Bytes list) { alpn_ = std::move(list); }
  const openssl::Bytes& alpn() const { return alpn_; }
  // False: what verifies there cannot wait on this platform.
  bool context_switched(std::int32_t tag, bool asks);
  // ContextChoice::tag of the context in use; 0: the one that it began with.
  std::int32_t context_tag() const;

  // For the operations (engine/operations), and not for the owner.
  Events& events() { return events_; }
  OperationQueue& queue() { return queue_; }
  Ending& ending() { return ending_; }
  KeyUpdates& key_updates() { return key_updates_; }
  Renegotiation& renegotiation() { return renegotiation_; }
  CertificateDemand& demand() { return demand_; }
  FileTurn& file_turn() { return file_turn_; }
  bool peer_closed() const { return phase_ == Phase::peer_closed; }
  void heed_shutdown_state();
  // A new handshake is under way, or about to be.
  bool renegotiating() const;
  // False: none was scheduled.
  bool begin_scheduled_renegotiation();
  // How much was taken, of at most kWriteBatch.
  std::size_t write_clear(std::span<const std::uint8_t> clear);
  // After a call of OpenSSL's that returned `result`, and before any other.
  openssl::FailurePtr failure_after(int result, const char* during);
  // Null: it is possible.
  openssl::FailurePtr kept_by_kernel(const char* what) const;
  openssl::FailurePtr message_refused(std::size_t size) const;

 private:
  // In this order, and never back. `peer_closed`: it has sent close_notify, or that counts as received. The sending
  // half ends apart from it: see Ending.
  enum class Phase : std::uint8_t { idle, handshaking, established, peer_closed };
  enum class ReadResult { some, none, closed, failed };

  Connection(openssl::SslPtr ssl, const ConnectionOptions& options, ChunkPool& pool, Events& events);

  // connection.cc
  void want_handshake() { phase_ = std::max(phase_, Phase::handshaking); }
  Step step();
  Step drive_handshake();
  Step fail_unanswered();
  void handshake_complete();
  // Null: it can be scheduled.
  openssl::FailurePtr not_schedulable(const char* too_early, const char* too_late) const;

  // connection_ending.cc
  Step step_dead();
  void tell_failure();
  void note_peer_closed();

  // callbacks/certificate.cc
  void prepare_certificate();
  void watch_certificate();
  // callbacks/psk.cc
  void prepare_psk(const ConnectionOptions& options);
  // Null: there is one, or none is required.
  openssl::FailurePtr psk_missing() const;
  // callbacks/hello.cc
  void prepare_hello(const ConnectionOptions& options);
  // callbacks/server_names.cc
  bool ask_verification(bool asks);
  void use_names(const ConnectionOptions& options);

  // connection_suspension.cc
  bool prepare_callbacks(const ConnectionOptions& options);
  Step step_suspended();
  Step resume();
  bool read_may_ask() const;
  Step read_in_job();
  void abandon_question();

  // connection_reading.cc
  void begin_reading();
  Step step_reads();
  Step read_into(std::span<std::uint8_t> target);
  bool input_may_be_there() const;
  bool may_read_ahead() const;
  Step read_ahead();
  Step serve_read_ahead();
  ReadResult nothing_read(std::span<std::uint8_t> target, std::size_t& count, openssl::FailurePtr& failure,
                          bool in_job);
  ReadResult read_some(std::span<std::uint8_t> target, std::size_t& count, openssl::FailurePtr& failure,
                       bool in_job = false);
  Step conclude_read(ReadResult result, openssl::FailurePtr failure, bool moved);
  openssl::FailurePtr after_read();
  openssl::FailurePtr read_failure(int result);
  Step target_gone();

  // connection_writing.cc
  bool write_records(std::span<const std::uint8_t> clear);

  // connection_dtls.cc
  Step listen();
  std::size_t longest_message() const;

  // connection_events.cc
  static void on_message(int sent, int version, int content_type, const void* bytes, std::size_t size, SSL* ssl,
                         void* self);
  static void on_info(const SSL* ssl, int where, int result);
  void handshake_message_seen(bool sent, std::span<const std::uint8_t> message);
  void hello_received(std::span<const std::uint8_t> message);
  void key_update_seen(bool sent, bool requested);

  EncSide enc_;  // before ssl_: its BIO points here
  openssl::SslPtr ssl_;
  Events& events_;
  const std::size_t out_mark_;
  const std::string verify_host_;
  const bool server_;
  const bool ktls_wanted_;
  const bool external_sessions_;
  const bool staples_anything_;
  const std::unique_ptr<RecordSizing> record_sizing_;  // null: records are as large as they may be

  Phase phase_ = Phase::idle;
  Ending ending_;
  KeyUpdates key_updates_;
  Renegotiation renegotiation_;
  CertificateDemand demand_;
  OperationQueue queue_;
  Reader reader_;

  std::uint32_t may_ask_ = 0;
  std::unique_ptr<Suspension> suspension_;
  std::unique_ptr<HelloState> hello_;
  std::unique_ptr<CertificateState> certificate_;
  std::unique_ptr<PskState> psk_;
  openssl::FailurePtr own_failure_;
  openssl::Bytes alpn_;  // a server's own; empty: the context's

  std::optional<DtlsState> dtls_;  // none for TLS

  std::uint32_t observe_ = 0;
  std::unique_ptr<MessageTrace> trace_;  // null: nobody wants SSL_trace(3)
  std::uint32_t negotiated_version_ = 0;

  bool strict_end_ = true;
  bool negotiated_stale_ = false;
  std::uint32_t handshake_messages_ = 0;  // seen; SSL_read can make progress without returning bytes
  FileTurn file_turn_;
};

}  // namespace system_tls::engine
