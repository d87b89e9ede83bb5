#include "openssl/context/attachment.h"

#include <memory>
#include <utility>

namespace system_tls::openssl {

namespace {

void free_attachment(void*, void* attachment, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Attachment*>(attachment);
}

int context_index() noexcept {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_attachment);
  return index;
}

int connection_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

bool attach(SSL_CTX* context, Attachment attachment) {
  auto owned = std::make_unique<Attachment>(std::move(attachment));
  if (SSL_CTX_set_ex_data(context, context_index(), owned.get()) != 1) return false;
  owned.release();
  return true;
}

Attachment* attachment_of(const SSL_CTX* context) noexcept {
  return static_cast<Attachment*>(SSL_CTX_get_ex_data(context, context_index()));
}

bool note_initial_context(SSL* ssl, SSL_CTX* context) noexcept {
  return SSL_set_ex_data(ssl, connection_index(), context) == 1;
}

SSL_CTX* initial_context(const SSL* ssl) noexcept {
  // The connection itself keeps this context alive, whatever SSL_set_SSL_CTX(3) replaced it with.
  auto* context = static_cast<SSL_CTX*>(SSL_get_ex_data(ssl, connection_index()));
  return context != nullptr ? context : SSL_get_SSL_CTX(ssl);
}

}  // namespace system_tls::openssl
