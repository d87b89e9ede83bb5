// What the load generator and the floor server share: options, the TLS context, clocks, and lines of JSON.
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
  const char *mode;
  const char *cert;
  const char *key;
  const char *ca;       // server: ask for a client certificate and verify it
  int port;
  bool client;          // floor: connect, instead of listening
  bool listen;          // load: listen, instead of connecting
  int connections;
  int threads;
  size_t size;          // bytes of one write or message
  size_t update_every;  // bytes between key updates; 0: none
  bool resume;
  bool http;
  bool plain;           // load: no TLS
  bool release;         // SSL_MODE_RELEASE_BUFFERS
};

#define ENCODED_RECORD (16 * 1024 + 256)

// Ends the program if an option is unknown.
struct options parse_options(int argc, char **argv);

// TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519, and nothing else.
SSL_CTX *make_context(const struct options *options, bool server);

_Noreturn void stop(const char *what);
// With the whole queue of OpenSSL.
_Noreturn void stop_openssl(const char *what);

uint64_t now_ns(void);
uint64_t process_cpu_ns(void);
uint64_t thread_cpu_ns(void);
uint64_t resident_bytes(void);

// On 127.0.0.1; port 0: any. Non-blocking.
int listen_on(int port);
int port_of(int fd);
// Non-blocking; the connection may still be on its way.
int connect_to(int port);
// -1: none is waiting.
int accept_from(int listener);
void set_no_delay(int fd);
