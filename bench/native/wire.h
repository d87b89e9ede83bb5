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
// False: the connection is broken.
bool wire_flush(struct wire *wire);
static inline bool wire_flushed(const struct wire *wire) { return wire->out_begin == wire->out_end; }
