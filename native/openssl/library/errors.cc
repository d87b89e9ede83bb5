#include "openssl/library/errors.h"

#include <openssl/err.h>

namespace system_tls::openssl {

namespace {
std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : std::string(text); }
}  // namespace

ErrorList drain_errors() {
  ErrorList list;
  const char* function = nullptr;
  const char* data = nullptr;
  int flags = 0;
  while (unsigned long code = ERR_get_error_all(nullptr, nullptr, &function, &data, &flags)) {
    ErrorEntry entry;
    entry.library = ERR_GET_LIB(code);
    entry.reason = ERR_GET_REASON(code);
    entry.library_name = text_or_empty(ERR_lib_error_string(code));
    entry.reason_text = text_or_empty(ERR_reason_error_string(code));
    entry.function = text_or_empty(function);
    if ((flags & ERR_TXT_STRING) != 0) entry.data = text_or_empty(data);
    list.push_back(std::move(entry));
  }
  return list;
}

ErrorScope::ErrorScope() noexcept { ERR_clear_error(); }
ErrorScope::~ErrorScope() { ERR_clear_error(); }

}  // namespace system_tls::openssl
