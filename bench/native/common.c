#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096

_Noreturn void stop(const char *what) {
  fprintf(stderr, "%s: %s\n", what, errno == 0 ? "failed" : strerror(errno));
  exit(1);
}

_Noreturn void stop_openssl(const char *what) {
  fprintf(stderr, "%s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

struct options parse_options(int argc, char **argv) {
  struct options options = {.connections = 1, .threads = 1, .size = 1024};
  if (argc < 2) stop("usage: PROGRAM MODE [--option value]...");
  options.mode = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *name = argv[i];
    const char *value = argv[i + 1];
    const long number = strtol(value, NULL, 10);
    if (strcmp(name, "--cert") == 0) options.cert = value;
    else if (strcmp(name, "--key") == 0) options.key = value;
    else if (strcmp(name, "--ca") == 0) options.ca = value;
    else if (strcmp(name, "--port") == 0) options.port = (int)number;
    else if (strcmp(name, "--client") == 0) options.client = number != 0;
    else if (strcmp(name, "--listen") == 0) options.listen = number != 0;
    else if (strcmp(name, "--connections") == 0) options.connections = (int)number;
    else if (strcmp(name, "--threads") == 0) options.threads = (int)number;
    else if (strcmp(name, "--size") == 0) options.size = (size_t)number;
    else if (strcmp(name, "--update-every") == 0) options.update_every = (size_t)number;
    else if (strcmp(name, "--resume") == 0) options.resume = number != 0;
    else if (strcmp(name, "--plain") == 0) options.plain = number != 0;
    else if (strcmp(name, "--http") == 0) options.http = number != 0;
    else if (strcmp(name, "--release") == 0) options.release = number != 0;
    else if (strcmp(name, "--api") != 0) stop(name);
  }
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  return options;
}

static bool restrict_to_one_suite(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 && SSL_CTX_set1_groups_list(context, "X25519") == 1;
}

static bool set_identity(SSL_CTX *context, const struct options *options) {
  return options->cert == NULL || (SSL_CTX_use_certificate_chain_file(context, options->cert) == 1 &&
                                   SSL_CTX_use_PrivateKey_file(context, options->key, SSL_FILETYPE_PEM) == 1);
}

SSL_CTX *make_context(const struct options *options, bool server) {
  SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  if (context == NULL || !restrict_to_one_suite(context) || !set_identity(context, options)) stop_openssl("TLS context");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (options->release) SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (server && options->ca != NULL) {
    if (SSL_CTX_load_verify_locations(context, options->ca, NULL) != 1) stop_openssl("--ca");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bench", 5);
  }
  return context;
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t process_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
uint64_t thread_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

uint64_t resident_bytes(void) {
  unsigned long long total = 0;
  unsigned long long resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  fclose(file);
  return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int open_socket(void) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) stop("socket");
  return fd;
}

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int listen_on(int port) {
  const int fd = open_socket();
  const int on = 1;
  const struct sockaddr_in address = loopback(port);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) stop("listen");
  return fd;
}

int port_of(int fd) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) stop("getsockname");
  return ntohs(address.sin_port);
}

int connect_to(int port) {
  const int fd = open_socket();
  const struct sockaddr_in address = loopback(port);
  set_no_delay(fd);
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) stop("connect");
  return fd;
}

int accept_from(int listener) {
  const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    set_no_delay(fd);
    return fd;
  }
  if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) stop("accept");
  return -1;
}
