// What our callbacks on an SSL_CTX need. It belongs to the SSL_CTX (CRYPTO_get_ex_new_index(3)) and ends with it,
// so that a connection which outlives every Context object still finds it.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "openssl/context/context.h"
#include "openssl/library/bytes.h"
#include "openssl/session/ticket_keys.h"

namespace system_tls::openssl {

struct Attachment {
  ContextHooks hooks;
  // A server's protocols in its order of preference.
  Bytes alpn;
  // SSL_CTX_set_session_id_context(3), which OpenSSL does not give back.
  Bytes session_id_context;
  // SSL_CTX_set1_groups_list(3), likewise. Empty: the library's own.
  std::string groups;
  // SSL_CTX_set_max_send_fragment(3), likewise.
  std::uint32_t max_send_fragment = SSL3_RT_MAX_PLAIN_LENGTH;
  // The one thing that changes while connections use it.
  std::unique_ptr<TicketKeySlot> ticket_keys = nullptr;
};

// False: out of memory.
bool attach(SSL_CTX* context, Attachment attachment);

// Null for a context that is not ours.
Attachment* attachment_of(const SSL_CTX* context) noexcept;

// The context that a connection began with: the owner of its session cache.
bool note_initial_context(SSL* ssl, SSL_CTX* context) noexcept;
SSL_CTX* initial_context(const SSL* ssl) noexcept;

}  // namespace system_tls::openssl
