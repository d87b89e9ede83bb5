#include "openssl/session/ticket_app_data.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

namespace system_tls::openssl {

namespace {

// The marks of pre-shared keys (engine/callbacks/psk.cc) are in the same place: no data of an application's, whatever
// it consists of, may pass for one.
constexpr std::string_view kPrefix = "system-tls app:";

void free_data(void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<std::optional<Bytes>*>(data);
}

int data_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_data);
  return index;
}

ByteView stored_in(const SSL_SESSION* session) {
  void* data = nullptr;
  std::size_t size = 0;
  // It does not write to the session.
  if (SSL_SESSION_get0_ticket_appdata(const_cast<SSL_SESSION*>(session), &data, &size) != 1) return {};
  return {static_cast<const std::uint8_t*>(data), size};
}

bool is_app_data(ByteView stored) {
  return stored.size() >= kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), stored.begin());
}

}  // namespace

bool set_ticket_app_data(SSL* ssl, std::optional<Bytes> data) {
  if (data) data->insert(data->begin(), kPrefix.begin(), kPrefix.end());
  if (auto* present = static_cast<std::optional<Bytes>*>(SSL_get_ex_data(ssl, data_index()))) {
    *present = std::move(data);
    return true;
  }
  auto made = std::make_unique<std::optional<Bytes>>(std::move(data));
  if (SSL_set_ex_data(ssl, data_index(), made.get()) != 1) return false;
  made.release();
  return true;
}

void label_with_app_data(const SSL* ssl, SSL_SESSION* session) {
  const auto* data = static_cast<const std::optional<Bytes>*>(SSL_get_ex_data(ssl, data_index()));
  if (data == nullptr) return;
  const ByteView stored = stored_in(session);
  if (!stored.empty() && !is_app_data(stored)) return;
  if (*data) {
    SSL_SESSION_set1_ticket_appdata(session, (*data)->data(), (*data)->size());
  } else {
    SSL_SESSION_set1_ticket_appdata(session, nullptr, 0);
  }
}

std::optional<ByteView> ticket_app_data(const SSL_SESSION* session) {
  const ByteView stored = stored_in(session);
  return is_app_data(stored) ? std::optional(stored.subspan(kPrefix.size())) : std::nullopt;
}

}  // namespace system_tls::openssl
