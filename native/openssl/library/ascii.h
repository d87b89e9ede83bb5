// Names in ASCII, whose case does not count, in whatever locale. OPENSSL_strncasecmp(3) is of OpenSSL 3.0.3.
#pragma once

#include <algorithm>
#include <string_view>

namespace system_tls::openssl {

constexpr char ascii_lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

inline bool begins_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(),
                                                    [](char a, char b) { return ascii_lower(a) == ascii_lower(b); });
}

}  // namespace system_tls::openssl
