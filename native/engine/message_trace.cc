#include "engine/message_trace.h"

#include <openssl/bio.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "openssl/library/errors.h"
#include "openssl/library/init.h"

namespace system_tls::engine {

namespace {

// Declared and exported only where libssl was built without no-ssl-trace.
using Trace = void(int, int, int, const void*, size_t, SSL*, void*);

Trace* ssl_trace() {
  static Trace* const found = openssl::find_function<Trace>("SSL_trace");
  return found;
}

// Milliseconds for whoever reads standard error to make room.
constexpr int kPatience = 1000;

bool wait_for_room() {
  pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&room, 1, kPatience) == 1;
}

// It may be non-blocking: that is a property of what all who have it share.
void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(STDERR_FILENO, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && (errno != EAGAIN || !wait_for_room())) {
      return;
    }
  }
}

}  // namespace

std::unique_ptr<MessageTrace> MessageTrace::create() {
  if (ssl_trace() == nullptr) return nullptr;
  openssl::BioPtr text(BIO_new(BIO_s_mem()));
  return text ? std::unique_ptr<MessageTrace>(new MessageTrace(std::move(text))) : nullptr;
}

void MessageTrace::message(int sent, int version, int content_type, std::span<const std::uint8_t> message, SSL* ssl) {
  const openssl::ErrorScope scope;
  ssl_trace()(sent, version, content_type, message.data(), message.size(), ssl, text_.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(text_.get(), &text);
  if (size > 0) write_to_stderr(std::string_view(text, static_cast<std::size_t>(size)));
  static_cast<void>(BIO_reset(text_.get()));
}

}  // namespace system_tls::engine
