// The load: what drives the servers that are measured, and is never measured itself. Modes:
//   send, receive    bulk data for as long as it is wanted, --connections, --size of one write
//   echo             --connections with one message of --size under way on each
//   request          the same, but the answer is a response of HTTP/1.1, of about --size
//   upload           the same, but the request has a body of --size
//   handshake        new connections, --connections at a time, each with one byte there and back; --resume;
//                    with --http 1 a request of HTTP/1.1 and its response instead of the byte, for who cannot echo
//   idle             opens --connections, sends a message on each and gets it back, and keeps them
// It speaks TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519, and nothing else; with --plain 1 no TLS at all.
//
// Standard output: {"event":"listening"} with --listen, {"event":"ready"} when all connections work, {"event":"result"} last.
// Standard input: `start` begins to count, `stop` or its end ends the program.
#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "histogram.h"
#include "http.h"
#include "wire.h"

#define EVENTS 256
#define WRITE_AT_ONCE (64 * 1024)
// Of the records of one write, at least.
#define OVERHEAD 1024
#define BULK_BUFFER (256 * 1024)
#define TURN 16
#define CLEAR_BUFFER (64 * 1024)
// Connections of one thread that are being made at a time: more would overflow the backlog of a server.
#define CONNECTING 64
#define POLL_MS 100
#define IDLE_ROUNDS 2

enum mode { SEND, RECEIVE, ECHO, REQUEST, UPLOAD, HANDSHAKE, IDLE };
enum phase { WARM_UP, COUNT, STOP };

struct worker;

struct connection {
  struct worker *worker;
  struct connection *next_runnable;
  SSL *ssl;  // NULL: no TLS
  SSL_SESSION *session;
  struct wire wire;
  bool open;
  bool established;
  bool runnable;
  bool counted;
  size_t sent;
  size_t unsent;  // of the message
  size_t since_update;
  size_t awaited;
  size_t response;  // bytes of one, known after the first
  int rounds;
  uint64_t began;
};

struct counters {
  uint64_t bytes;
  uint64_t requests;
  uint64_t handshakes;
  uint64_t resumed;
  struct histogram latency;
};

struct worker {
  pthread_t thread;
  int poller;
  int index;
  int connections;
  int begun;
  int connecting;
  int ready;
  int waiting;  // with their request, for the others
  enum phase phase;
  struct connection *slots;
  struct connection *runnable;
  struct connection **runnable_end;
  struct counters counters;
  uint8_t *clear;
};

static struct options options;
static enum mode mode;
static SSL_CTX *context;
static int listener = -1;
static uint8_t *message;
static size_t message_size;
static char key_kind[64] = "none";
static pthread_mutex_t key_kind_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic enum phase wanted_phase = WARM_UP;
static atomic_int ready_connections;
static atomic_bool told_ready;

static bool http(void) { return mode == REQUEST || mode == UPLOAD || (mode == HANDSHAKE && options.http); }
static bool bulk(void) { return mode == SEND || mode == RECEIVE; }

// ---------------------------------------------------------------------------------------------------------------------
// What was spoken

// Everybody must have done the same work.
static void check_spoken(SSL *ssl) {
  const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
  if (SSL_version(ssl) != TLS1_3_VERSION) stop("not TLS 1.3");
  if (strcmp(SSL_CIPHER_get_name(cipher), "TLS_AES_128_GCM_SHA256") != 0) stop("not TLS_AES_128_GCM_SHA256");
  if (SSL_get_negotiated_group(ssl) != NID_X25519) stop("not X25519");
  X509 *certificate = SSL_get0_peer_certificate(ssl);
  EVP_PKEY *key = certificate == NULL ? NULL : X509_get0_pubkey(certificate);
  if (key == NULL) return;
  pthread_mutex_lock(&key_kind_lock);
  snprintf(key_kind, sizeof key_kind, "%s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
  pthread_mutex_unlock(&key_kind_lock);
}

// ---------------------------------------------------------------------------------------------------------------------
// One connection's life

static void run_later(struct connection *connection) {
  struct worker *worker = connection->worker;
  if (connection->runnable) return;
  connection->runnable = true;
  connection->next_runnable = NULL;
  *worker->runnable_end = connection;
  worker->runnable_end = &connection->next_runnable;
}

static bool large(void) { return options.size > ENCODED_RECORD; }
static size_t in_size(void) { return mode == RECEIVE || (mode == REQUEST && large()) ? BULK_BUFFER : ENCODED_RECORD + 4096; }
static size_t out_size(void) { return mode == SEND || mode == UPLOAD ? BULK_BUFFER : ENCODED_RECORD + message_size + 4096; }

static void begin_tls(struct connection *connection) {
  connection->ssl = SSL_new(context);
  if (connection->ssl == NULL) stop_openssl("SSL_new");
  BIO *bio = wire_bio(&connection->wire);
  SSL_set_bio(connection->ssl, bio, bio);
  SSL_set_app_data(connection->ssl, connection);
  if (options.listen) SSL_set_accept_state(connection->ssl);
  else SSL_set_connect_state(connection->ssl);
  if (connection->session == NULL) return;
  // A copy: OpenSSL bars a session from being used again as soon as there is a newer ticket.
  SSL_SESSION *copy = SSL_SESSION_dup(connection->session);
  SSL_set_session(connection->ssl, copy);
  SSL_SESSION_free(copy);
}

static void open_connection(struct connection *connection, int fd) {
  struct worker *worker = connection->worker;
  wire_open(&connection->wire, fd, in_size(), out_size());
  if (!options.plain) begin_tls(connection);
  connection->open = true;
  connection->established = false;
  connection->began = now_ns();
  connection->awaited = 0;
  connection->unsent = 0;
  ++worker->connecting;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
  if (epoll_ctl(worker->poller, EPOLL_CTL_ADD, fd, &event) != 0) stop("epoll_ctl");
}

static void close_connection(struct connection *connection) {
  if (!connection->established) --connection->worker->connecting;
  SSL_free(connection->ssl);
  wire_close(&connection->wire);
  connection->open = false;
}

static _Noreturn void broken(struct connection *connection, const char *what) {
  (void)connection;
  errno = 0;
  stop_openssl(what);
}

static void reconnect(struct connection *connection) {
  if (connection->ssl != NULL && SSL_shutdown(connection->ssl) < 0) broken(connection, "goodbye");
  wire_flush(&connection->wire);
  close_connection(connection);
  open_connection(connection, connect_to(options.port));
}

static void note_ready(struct connection *connection) {
  if (connection->counted) return;
  connection->counted = true;
  ++connection->worker->ready;
  const int ready = atomic_fetch_add(&ready_connections, 1) + 1;
  if (ready == options.connections && !atomic_exchange(&told_ready, true)) printf("{\"event\":\"ready\"}\n");
}

// All of it, into the buffer of the wire.
static void put(struct connection *connection, const uint8_t *bytes, size_t size) {
  size_t count = 0;
  if (connection->ssl == NULL) count = wire_put(&connection->wire, bytes, size);
  else if (SSL_write_ex(connection->ssl, bytes, size, &count) != 1) broken(connection, "write");
  if (count != size) broken(connection, "a buffer that is too small");
}

// As much as fits into the buffer of the wire: the rest when that was sent.
static void send_rest(struct connection *connection) {
  while (connection->unsent != 0) {
    const size_t size = connection->unsent < WRITE_AT_ONCE ? connection->unsent : WRITE_AT_ONCE;
    if (!wire_has_room(&connection->wire, size + OVERHEAD)) {
      if (!wire_flush(&connection->wire)) broken(connection, "send");
      if (!wire_flushed(&connection->wire)) return;
    }
    put(connection, message + message_size - connection->unsent, size);
    connection->unsent -= size;
  }
}

static void send_message(struct connection *connection) {
  if (mode != HANDSHAKE) connection->began = now_ns();
  connection->unsent = message_size;
  connection->awaited = http() ? connection->response : message_size;
  send_rest(connection);
}

static void answered(struct connection *connection) {
  struct counters *counters = &connection->worker->counters;
  histogram_add(&counters->latency, now_ns() - connection->began);
  ++counters->requests;
  if (mode == HANDSHAKE) {
    ++counters->handshakes;
    if (connection->ssl != NULL && SSL_session_reused(connection->ssl) == 1) ++counters->resumed;
    note_ready(connection);
    reconnect(connection);
  } else if (mode == IDLE && ++connection->rounds == IDLE_ROUNDS) {
    note_ready(connection);
  } else {
    note_ready(connection);
    send_message(connection);
  }
}

static void arrived(struct connection *connection, const uint8_t *bytes, size_t count) {
  connection->worker->counters.bytes += count;
  if (bulk()) return;
  if (connection->unsent != 0) stop("answered before all was asked");
  // All responses are as long as the first.
  if (http() && connection->response == 0) connection->awaited = connection->response = http_response_length(bytes, count);
  if (count > connection->awaited) stop("more was answered than was asked");
  connection->awaited -= count;
  if (connection->awaited == 0) answered(connection);
}

enum taken { TAKEN, NOTHING_YET, ENDED };

static enum taken take(struct connection *connection, size_t *count) {
  uint8_t *to = connection->worker->clear;
  if (connection->ssl == NULL) {
    *count = wire_take(&connection->wire, to, CLEAR_BUFFER);
    return *count != 0 ? TAKEN : connection->wire.ended ? ENDED : NOTHING_YET;
  }
  const int result = SSL_read_ex(connection->ssl, to, CLEAR_BUFFER, count);
  if (result == 1) return TAKEN;
  return SSL_get_error(connection->ssl, result) == SSL_ERROR_WANT_READ ? NOTHING_YET : ENDED;
}

// False: the peer has ended the connection.
static bool read_all(struct connection *connection) {
  for (int i = 0; i < TURN; ++i) {
    size_t count = 0;
    const enum taken taken = take(connection, &count);
    if (taken != TAKEN) return taken == NOTHING_YET;
    arrived(connection, connection->worker->clear, count);
    // It may be another connection by now; its poller event comes by itself.
    if (!connection->established) return true;
  }
  run_later(connection);
  return true;
}

static void update_if_due(struct connection *connection) {
  if (options.update_every == 0 || connection->since_update < options.update_every) return;
  connection->since_update = 0;
  if (SSL_key_update(connection->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(connection->ssl) != 1) {
    broken(connection, "key update");
  }
}

static void send_bulk(struct connection *connection) {
  // Tickets may be under way.
  if (!wire_flush(&connection->wire)) return;
  for (int i = 0; i < TURN && wire_flushed(&connection->wire); ++i) {
    size_t count = 0;
    // One write of the given size may need several of ours.
    const size_t rest = options.size - connection->sent;
    update_if_due(connection);
    for (size_t size = rest < WRITE_AT_ONCE ? rest : WRITE_AT_ONCE; size != 0; size -= count) {
      if (SSL_write_ex(connection->ssl, message, size, &count) != 1) broken(connection, "write");
      connection->sent += count;
      connection->since_update += count;
      connection->worker->counters.bytes += count;
    }
    if (connection->sent == options.size) connection->sent = 0;
    if (!wire_flush(&connection->wire)) return;
  }
  if (wire_flushed(&connection->wire)) run_later(connection);
}

// An event of a socket that is being connected says that it is.
static bool shaken(struct connection *connection) {
  if (connection->ssl == NULL) return true;
  const int result = SSL_do_handshake(connection->ssl);
  if (result == 1) {
    check_spoken(connection->ssl);
    return true;
  }
  if (SSL_get_error(connection->ssl, result) != SSL_ERROR_WANT_READ) broken(connection, "handshake");
  return false;
}

// Connections that are made while others ask already would have to wait for their turn in a busy server again and again.
static void ask_when_all_can(struct worker *worker) {
  if (++worker->waiting < worker->connections) return;
  for (int i = 0; i < worker->connections; ++i) {
    send_message(&worker->slots[i]);
    run_later(&worker->slots[i]);
  }
}

static bool handshake(struct connection *connection) {
  if (!shaken(connection)) return false;
  connection->established = true;
  --connection->worker->connecting;
  if (bulk()) note_ready(connection);
  else if (mode == REQUEST || mode == UPLOAD) ask_when_all_can(connection->worker);
  else send_message(connection);
  return true;
}

static void advance(struct connection *connection) {
  if (!connection->open) return;
  if (!wire_flush(&connection->wire)) broken(connection, "send");
  if (!connection->established && !handshake(connection)) {
    if (!wire_flush(&connection->wire)) broken(connection, "send");
    return;
  }
  if (!read_all(connection)) {
    if (atomic_load(&wanted_phase) != STOP) broken(connection, "the server ended the connection");
    close_connection(connection);
    return;
  }
  if (mode == SEND && connection->established) send_bulk(connection);
  else send_rest(connection);
  if (!wire_flush(&connection->wire)) broken(connection, "send");
}

// The ticket of a full handshake is used for all that follow: node:tls does not take those that it gives on resumed connections.
static int keep_session(SSL *ssl, SSL_SESSION *session) {
  struct connection *connection = SSL_get_app_data(ssl);
  if (SSL_session_reused(ssl) == 1) return 0;
  if (connection->session != NULL) SSL_SESSION_free(connection->session);
  connection->session = session;
  return 1;
}

// ---------------------------------------------------------------------------------------------------------------------
// Threads

static void begin_connections(struct worker *worker) {
  while (worker->begun < worker->connections && worker->connecting < CONNECTING) {
    const int fd = options.listen ? accept_from(listener) : connect_to(options.port);
    if (fd < 0) return;
    open_connection(&worker->slots[worker->begun++], fd);
  }
}

static void run_runnable(struct worker *worker) {
  struct connection *first = worker->runnable;
  worker->runnable = NULL;
  worker->runnable_end = &worker->runnable;
  while (first != NULL) {
    struct connection *connection = first;
    first = connection->next_runnable;
    connection->runnable = false;
    advance(connection);
  }
}

static void enter_phase(struct worker *worker) {
  const enum phase phase = atomic_load(&wanted_phase);
  if (phase == worker->phase) return;
  worker->phase = phase;
  if (phase == COUNT) memset(&worker->counters, 0, sizeof worker->counters);
}

static void *work(void *argument) {
  struct worker *worker = argument;
  struct epoll_event events[EVENTS];
  for (enter_phase(worker); worker->phase != STOP; enter_phase(worker)) {
    begin_connections(worker);
    const bool busy = worker->runnable != NULL;
    const int count = epoll_wait(worker->poller, events, EVENTS, busy ? 0 : worker->begun < worker->connections ? 1 : POLL_MS);
    for (int i = 0; i < count; ++i) {
      struct connection *connection = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) connection->wire.drained = false;
      advance(connection);
    }
    run_runnable(worker);
  }
  return NULL;
}

static struct worker *start_workers(void) {
  struct worker *workers = calloc((size_t)options.threads, sizeof *workers);
  if (workers == NULL) stop("memory");
  for (int i = 0; i < options.threads; ++i) {
    struct worker *worker = &workers[i];
    worker->index = i;
    worker->connections = options.connections / options.threads + (i < options.connections % options.threads ? 1 : 0);
    worker->poller = epoll_create1(EPOLL_CLOEXEC);
    worker->slots = calloc((size_t)worker->connections + 1, sizeof *worker->slots);
    worker->clear = malloc(CLEAR_BUFFER);
    worker->runnable_end = &worker->runnable;
    if (worker->poller < 0 || worker->slots == NULL || worker->clear == NULL) stop("memory");
    for (int k = 0; k < worker->connections; ++k) worker->slots[k].worker = worker;
    if (pthread_create(&worker->thread, NULL, work, worker) != 0) stop("pthread_create");
  }
  return workers;
}

static void report(const struct worker *workers, uint64_t ns, uint64_t cpu) {
  static struct counters all;
  for (int i = 0; i < options.threads; ++i) {
    const struct counters *counters = &workers[i].counters;
    all.bytes += counters->bytes;
    all.requests += counters->requests;
    all.handshakes += counters->handshakes;
    all.resumed += counters->resumed;
    histogram_merge(&all.latency, &counters->latency);
  }
  const bool tls = !options.plain;
  printf("{\"event\":\"result\",\"ns\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"handshakes\":%" PRIu64
         ",\"resumed\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"cpu\":%" PRIu64
         ",\"version\":\"%s\",\"cipher\":\"%s\",\"group\":\"%s\",\"key\":\"%s\"}\n",
         ns, all.bytes, all.requests, all.handshakes, all.resumed, histogram_quantile(&all.latency, 0.5),
         histogram_quantile(&all.latency, 0.99), cpu, tls ? "TLSv1.3" : "none", tls ? "TLS_AES_128_GCM_SHA256" : "none",
         tls ? "X25519" : "none", key_kind);
}

static enum mode mode_named(const char *name) {
  static const char *const names[] = {"send", "receive", "echo", "request", "upload", "handshake", "idle"};
  for (int i = 0; i < 7; ++i) {
    if (strcmp(name, names[i]) == 0) return (enum mode)i;
  }
  stop(name);
}

static void make_message(void) {
  if (http()) {
    message = http_request(mode == UPLOAD ? options.size : 0, &message_size);
    return;
  }
  message_size = mode == HANDSHAKE ? 1 : options.size;
  if (!bulk() && message_size > 16 * 1024) stop("--size: one record at most");
  const size_t room = message_size > WRITE_AT_ONCE ? message_size : WRITE_AT_ONCE;
  message = malloc(room);
  if (message == NULL) stop("memory");
  for (size_t i = 0; i < room; ++i) message[i] = (uint8_t)(i * 31);
}

static int trust_all(X509_STORE_CTX *store, void *argument) {
  (void)store, (void)argument;
  return 1;
}

static void configure(void) {
  context = make_context(&options, options.listen);
  SSL_CTX_clear_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
  // The chain is not what is measured; that the server has the key, OpenSSL proves all the same.
  if (!options.listen) SSL_CTX_set_cert_verify_callback(context, trust_all, NULL);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (options.resume) SSL_CTX_sess_set_new_cb(context, keep_session);
  if (options.listen) listener = listen_on(options.port);
  if (options.listen) printf("{\"event\":\"listening\",\"port\":%d}\n", port_of(listener));
}

int main(int argc, char **argv) {
  options = parse_options(argc, argv);
  mode = mode_named(options.mode);
  if (options.plain && bulk()) stop("--plain: not with bulk data");
  make_message();
  configure();
  BIO_free(wire_bio(NULL));  // its method is made before there are threads
  struct worker *workers = start_workers();
  uint64_t began = now_ns();
  uint64_t cpu_before = 0;
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL && strncmp(line, "stop", 4) != 0) {
    if (strncmp(line, "start", 5) != 0) continue;
    began = now_ns();
    cpu_before = process_cpu_ns();
    atomic_store(&wanted_phase, COUNT);
  }
  const uint64_t ended = now_ns();
  atomic_store(&wanted_phase, STOP);
  for (int i = 0; i < options.threads; ++i) pthread_join(workers[i].thread, NULL);
  report(workers, ended - began, process_cpu_ns() - cpu_before);
}
