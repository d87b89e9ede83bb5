// The reference in the targets: the plainest fast server in C. One thread, epoll, SSL_read and SSL_write on the socket,
// record by record. Modes: sink, source, echo, update.
//
// Standard input: `snapshot` asks for a line of figures, `collect` is for others, its end ends the program.
#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common.h"

#define BUFFER (64 * 1024)
#define EVENTS 256
// Work of one connection before the others have their turn.
#define RECORDS_A_TURN 64
// A receiver gives up after 32 KeyUpdates without data between them.
#define UPDATES_A_BYTE 16

enum mode { SINK, SOURCE, ECHO, UPDATE };

struct connection {
  SSL *ssl;
  int fd;
  bool established;
  bool updating;
  uint32_t polled;
  size_t since_update;
  int updates;
  // Echo that the socket did not take.
  uint8_t *pending;
  size_t pending_size;
};

static struct options options;
static enum mode mode;
static SSL_CTX *context;
static int poller;
static uint8_t *buffer;
static struct {
  uint64_t bytes;
  uint64_t handshakes;
  uint64_t updates;
} done;

enum step { GO_ON, WAIT_READ, WAIT_WRITE, CLOSE };

static enum step after(struct connection *connection, int result) {
  switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
      return WAIT_READ;
    case SSL_ERROR_WANT_WRITE:
      return WAIT_WRITE;
    default:
      ERR_clear_error();
      return CLOSE;
  }
}

static enum step read_some(struct connection *connection, size_t *count) {
  const int result = SSL_read_ex(connection->ssl, buffer, BUFFER, count);
  if (result == 1) {
    done.bytes += *count;
    return GO_ON;
  }
  *count = 0;
  return after(connection, result);
}

static enum step sink(struct connection *connection) {
  size_t count = 0;
  enum step step = GO_ON;
  for (int i = 0; i < RECORDS_A_TURN && step == GO_ON; ++i) step = read_some(connection, &count);
  return step;
}

// One SSL_do_handshake sends the KeyUpdate that SSL_key_update scheduled.
static enum step update(struct connection *connection) {
  if (!connection->updating) {
    if (SSL_key_update(connection->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return CLOSE;
    connection->updating = true;
  }
  const int result = SSL_do_handshake(connection->ssl);
  if (result != 1) return after(connection, result);
  connection->updating = false;
  connection->since_update = 0;
  ++done.updates;
  return GO_ON;
}

static enum step write_some(struct connection *connection, size_t size) {
  size_t count = 0;
  const int result = SSL_write_ex(connection->ssl, buffer, size, &count);
  if (result != 1) return after(connection, result);
  done.bytes += count;
  connection->since_update += count;
  return GO_ON;
}

static enum step source_step(struct connection *connection) {
  const bool due = options.update_every != 0 && connection->since_update >= options.update_every;
  return connection->updating || due ? update(connection) : write_some(connection, options.size);
}

static enum step update_step(struct connection *connection) {
  if (!connection->updating && connection->updates == UPDATES_A_BYTE) {
    const enum step step = write_some(connection, 1);
    if (step == GO_ON) connection->updates = 0;
    return step;
  }
  const enum step step = update(connection);
  if (step == GO_ON) ++connection->updates;
  return step;
}

static enum step produce(struct connection *connection) {
  // Tickets and close_notify are all that a receiver sends.
  size_t count = 0;
  const enum step heard = read_some(connection, &count);
  if (heard == CLOSE) return CLOSE;
  enum step step = GO_ON;
  for (int i = 0; i < RECORDS_A_TURN && step == GO_ON; ++i) {
    step = mode == SOURCE ? source_step(connection) : update_step(connection);
  }
  return step == GO_ON ? WAIT_WRITE : step;
}

static void keep(struct connection *connection, const uint8_t *bytes, size_t size) {
  connection->pending = malloc(size);
  if (connection->pending == NULL) stop("memory");
  memcpy(connection->pending, bytes, size);
  connection->pending_size = size;
}

static enum step send_back(struct connection *connection, const uint8_t *bytes, size_t size) {
  while (size != 0) {
    size_t count = 0;
    const int result = SSL_write_ex(connection->ssl, bytes, size, &count);
    if (result != 1) {
      const enum step step = after(connection, result);
      if (step == WAIT_WRITE) keep(connection, bytes, size);
      return step;
    }
    bytes += count;
    size -= count;
  }
  return GO_ON;
}

static enum step echo(struct connection *connection) {
  if (connection->pending != NULL) {
    uint8_t *bytes = connection->pending;
    connection->pending = NULL;
    const enum step step = send_back(connection, bytes, connection->pending_size);
    free(bytes);
    if (step != GO_ON) return step;
  }
  size_t count = 0;
  const enum step step = read_some(connection, &count);
  return step == GO_ON ? send_back(connection, buffer, count) : step;
}

static enum step work(struct connection *connection) {
  if (!connection->established) {
    const int result = SSL_do_handshake(connection->ssl);
    if (result != 1) return after(connection, result);
    connection->established = true;
    ++done.handshakes;
  }
  switch (mode) {
    case SINK:
      return sink(connection);
    case ECHO:
      return echo(connection);
    default:
      return produce(connection);
  }
}

static void poll_for(struct connection *connection, uint32_t events) {
  if (connection->polled == events) return;
  struct epoll_event event = {.events = events, .data.ptr = connection};
  epoll_ctl(poller, connection->polled == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection->fd, &event);
  connection->polled = events;
}

static void end(struct connection *connection) {
  SSL_shutdown(connection->ssl);
  ERR_clear_error();
  SSL_free(connection->ssl);
  close(connection->fd);
  free(connection->pending);
  free(connection);
}

static void serve(struct connection *connection) {
  switch (work(connection)) {
    case CLOSE:
      end(connection);
      return;
    case WAIT_WRITE:
      poll_for(connection, EPOLLIN | EPOLLOUT);
      return;
    default:
      poll_for(connection, EPOLLIN);
  }
}

static void begin(int fd) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL || (connection->ssl = SSL_new(context)) == NULL) stop("memory");
  connection->fd = fd;
  SSL_set_fd(connection->ssl, fd);
  if (options.client) {
    SSL_set_connect_state(connection->ssl);
    poll_for(connection, EPOLLIN | EPOLLOUT);
  } else {
    SSL_set_accept_state(connection->ssl);
    serve(connection);
  }
}

static void snapshot(void) {
  const uint64_t cpu = process_cpu_ns();
  printf("{\"event\":\"snapshot\",\"time\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"handshakes\":%" PRIu64 ",\"updates\":%" PRIu64
         ",\"cpuMain\":%" PRIu64 ",\"cpuAll\":%" PRIu64 ",\"resident\":%" PRIu64 "}\n",
         now_ns(), done.bytes, done.handshakes, done.updates, cpu, cpu, resident_bytes());
}

static void command(void) {
  char line[256];
  const ssize_t count = read(STDIN_FILENO, line, sizeof line - 1);
  if (count <= 0) exit(0);
  line[count] = 0;
  if (strstr(line, "snapshot") != NULL) snapshot();
  if (strstr(line, "collect") != NULL) printf("{\"event\":\"collected\"}\n");
}

static void add(int fd, void *mark) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) stop("epoll_ctl");
}

static enum mode mode_named(const char *name) {
  static const char *const names[] = {"sink", "source", "echo", "update"};
  for (int i = 0; i < 4; ++i) {
    if (strcmp(name, names[i]) == 0) return (enum mode)i;
  }
  stop(name);
}

int main(int argc, char **argv) {
  options = parse_options(argc, argv);
  mode = mode_named(options.mode);
  context = make_context(&options, !options.client);
  poller = epoll_create1(EPOLL_CLOEXEC);
  buffer = calloc(1, options.size > BUFFER ? options.size : BUFFER);
  if (poller < 0 || buffer == NULL) stop("epoll_create1");
  int listener = -1;
  add(STDIN_FILENO, &options);
  if (options.client) {
    for (int i = 0; i < options.connections; ++i) begin(connect_to(options.port));
  } else {
    listener = listen_on(options.port);
    add(listener, &listener);
  }
  printf("{\"event\":\"listening\",\"port\":%d,\"openssl\":\"%s\"}\n", listener < 0 ? 0 : port_of(listener),
         OpenSSL_version(OPENSSL_VERSION_STRING));
  for (;;) {
    struct epoll_event events[EVENTS];
    const int count = epoll_wait(poller, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) stop("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == &options) {
        command();
      } else if (events[i].data.ptr == &listener) {
        for (int fd = accept_from(listener); fd >= 0; fd = accept_from(listener)) begin(fd);
      } else {
        serve(events[i].data.ptr);
      }
    }
  }
}
