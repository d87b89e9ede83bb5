// Starts the system's OpenSSL, once per process, and says what it is.
#pragma once

#include <cstdint>
#include <string>

#include "openssl/library/refusal.h"

namespace system_tls::openssl {

// The very first call into libcrypto. Without it OpenSSL frees its state in an atexit handler, under threads that
// still use it: process.exit() runs no clean-up of ours on the main thread. After any other call it has no effect.
bool forgo_exit_handler();

// In this order: the proof of isolation, the check of headers against library, the modules that openssl.cnf asks
// for (see providers.h), then OpenSSL's own initialisation, which reads that file. Any thread, any number of times.
const MaybeRefusal& start();

// The text of an error code. After start(), which loads the texts.
std::string reason_text(unsigned long code);

// Empties this thread's error queue into one line of text.
std::string drain_reasons();

struct LibraryInfo {
  std::string version;               // "3.0.19"
  std::uint64_t version_number = 0;  // OpenSSL_version_num(3): 0xMNN00PP0
  std::string header_version;        // what the addon was compiled against
  std::string directory;             // where openssl.cnf and certs/ are
  std::string modules_directory;
};

// After start().
LibraryInfo library_info();

// What this library, with its configuration, can do; asked of the library, not of the headers.
struct Features {
  bool tls13 = false;
  bool dtls = false;
  bool ktls = false;
  bool async = false;
  bool certificate_compression = false;
  bool raw_public_keys = false;
  bool quic = false;
  bool quic_server = false;
  bool mlkem = false;
  bool ech = false;
  bool engines = false;
  bool fips = false;
};

// After start().
Features library_features();

// Was kernel TLS compiled into the library? Whether the kernel has it shows on a socket.
bool has_ktls();

void* find_ssl_symbol(const char* name);

// A function that only newer libraries have, in libssl or libcrypto; null if this one has not.
template <typename Function>
Function* find_function(const char* name) {
  return reinterpret_cast<Function*>(find_ssl_symbol(name));
}

}  // namespace system_tls::openssl
