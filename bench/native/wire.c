#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

void wire_open(struct wire *wire, int fd, size_t in_size, size_t out_size) {
  *wire = (struct wire){.fd = fd, .in_size = in_size, .out_size = out_size, .in = malloc(in_size), .out = malloc(out_size)};
  if (wire->in == NULL || wire->out == NULL) stop("memory");
}

void wire_close(struct wire *wire) {
  close(wire->fd);
  free(wire->in);
  free(wire->out);
}

bool wire_flush(struct wire *wire) {
  while (!wire_flushed(wire)) {
    const ssize_t sent = send(wire->fd, wire->out + wire->out_begin, wire->out_end - wire->out_begin, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
    wire->out_begin += (size_t)sent;
  }
  wire->out_begin = wire->out_end = 0;
  return true;
}

static void receive(struct wire *wire) {
  const ssize_t received = recv(wire->fd, wire->in, wire->in_size, 0);
  wire->in_begin = 0;
  wire->in_end = received > 0 ? (size_t)received : 0;
  wire->drained = wire->in_end < wire->in_size;
  wire->ended = received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN);
}

size_t wire_take(struct wire *wire, uint8_t *to, size_t size) {
  if (wire->in_begin == wire->in_end && !wire->drained && !wire->ended) receive(wire);
  const size_t there = wire->in_end - wire->in_begin;
  const size_t count = there < size ? there : size;
  memcpy(to, wire->in + wire->in_begin, count);
  wire->in_begin += count;
  return count;
}

// Its owner writes only what fits, when everything before it was sent.
size_t wire_put(struct wire *wire, const uint8_t *from, size_t size) {
  if (size > wire->out_size - wire->out_end) return 0;
  memcpy(wire->out + wire->out_end, from, size);
  wire->out_end += size;
  return size;
}

static int wire_read(BIO *bio, char *to, int size) {
  struct wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  const size_t count = wire_take(wire, (uint8_t *)to, (size_t)size);
  if (count != 0) return (int)count;
  if (!wire->ended) BIO_set_retry_read(bio);
  return -1;
}

static int wire_write(BIO *bio, const char *from, int size) {
  BIO_clear_retry_flags(bio);
  const size_t count = wire_put(BIO_get_data(bio), (const uint8_t *)from, (size_t)size);
  return count == 0 ? -1 : (int)count;
}

static long wire_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO *wire_bio(struct wire *wire) {
  static BIO_METHOD *method;
  if (method == NULL) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (method == NULL) stop_openssl("BIO_meth_new");
    BIO_meth_set_read(method, wire_read);
    BIO_meth_set_write(method, wire_write);
    BIO_meth_set_ctrl(method, wire_control);
  }
  BIO *bio = BIO_new(method);
  if (bio == NULL) stop_openssl("BIO_new");
  BIO_set_data(bio, wire);
  BIO_set_init(bio, 1);
  return bio;
}
