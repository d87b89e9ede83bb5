// A BIO on a socket that sends many records at once and receives many at once, so that a load generator does not become the
// bottleneck.
#pragma once

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
  int fd;
  bool drained;  // the last receive took all there was: the poller will tell of more
  bool ended;
  size_t in_begin, in_end, in_size;
  size_t out_begin, out_end, out_size;
  uint8_t *in;
  uint8_t *out;
};

void wire_open(struct wire *wire, int fd, size_t in_size, size_t out_size);
void wire_close(struct wire *wire);
BIO *wire_bio(struct wire *wire);
// Without TLS: how much was taken in one turn; 0: nothing is there, or it has ended.
size_t wire_take(struct wire *wire, uint8_t *to, size_t size);
// How much fitted into the buffer of what is to be sent.
size_t wire_put(struct wire *wire, const uint8_t *from, size_t size);
// False: the connection is broken.
bool wire_flush(struct wire *wire);
static inline bool wire_flushed(const struct wire *wire) { return wire->out_begin == wire->out_end; }
static inline bool wire_has_room(const struct wire *wire, size_t size) { return wire->out_size - wire->out_end >= size; }
