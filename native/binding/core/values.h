// Conversions between JavaScript's values and C++'s. None of them aborts, whatever the value is; those that return
// false leave no exception unless they say so.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace system_tls::binding {

// The bytes of a Buffer, TypedArray or DataView, in place: valid until JavaScript runs again, unless a reference keeps
// the view alive, and JavaScript may change them at any time.
using View = std::span<std::uint8_t>;

template <typename T>
concept WholeNumber = std::numeric_limits<T>::is_integer && !std::is_same_v<T, bool>;

template <typename T>
concept ByteContainer = std::is_same_v<typename T::value_type, std::uint8_t>;

bool is_nullish(napi_env env, napi_value value);
bool is_function(napi_env env, napi_value value);
bool is_object(napi_env env, napi_value value);

bool from_js(napi_env env, napi_value value, bool& out);
bool from_js(napi_env env, napi_value value, double& out);
bool from_js(napi_env env, napi_value value, std::string& out);
bool from_js(napi_env env, napi_value value, View& out);

// A number that is whole and fits; a double carries whole numbers up to 2^53 only.
template <WholeNumber Integer>
bool from_js(napi_env env, napi_value value, Integer& out) {
  constexpr double kSafe = 9007199254740991.0;
  constexpr double kLowest = static_cast<double>(std::numeric_limits<Integer>::lowest());
  constexpr double kHighest = static_cast<double>(std::numeric_limits<Integer>::max());
  double number = 0;
  if (!from_js(env, value, number)) return false;
  if (!(number >= (kLowest < -kSafe ? -kSafe : kLowest))) return false;
  if (!(number <= (kHighest > kSafe ? kSafe : kHighest))) return false;
  const auto whole = static_cast<Integer>(number);
  if (static_cast<double>(whole) != number) return false;
  out = whole;
  return true;
}

template <ByteContainer Container>
bool from_js(napi_env env, napi_value value, Container& out) {
  View view;
  if (!from_js(env, value, view)) return false;
  out.assign(view.begin(), view.end());
  return true;
}

// What a message calls the type that from_js() expects.
template <typename T>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<T, bool>) {
    return "a boolean";
  } else if constexpr (std::is_same_v<T, double>) {
    return "a number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "a string";
  } else if constexpr (std::numeric_limits<T>::is_integer) {
    return "an integer in range";
  } else {
    return "a Buffer, TypedArray or DataView";
  }
}

// Null when nothing can run any more, which callers may return as it is.
napi_value undefined(napi_env env);
napi_value null(napi_env env);
napi_value to_js(napi_env env, bool value);
napi_value to_js(napi_env env, double value);
napi_value to_js(napi_env env, std::string_view value);
// A Buffer that holds a copy.
napi_value to_js(napi_env env, std::span<const std::uint8_t> bytes);

template <WholeNumber Integer>
napi_value to_js(napi_env env, Integer value) {
  return to_js(env, static_cast<double>(value));
}
// Otherwise a literal would become a boolean.
inline napi_value to_js(napi_env env, const char* text) {
  return text == nullptr ? null(env) : to_js(env, std::string_view(text));
}
inline napi_value to_js(napi_env env, const std::string& text) { return to_js(env, std::string_view(text)); }
// null where there is none.
template <typename T>
napi_value to_js(napi_env env, const std::optional<T>& value) {
  return value ? to_js(env, *value) : null(env);
}
// A Buffer that holds a copy; null if there are none.
inline napi_value bytes_or_null(napi_env env, std::span<const std::uint8_t> bytes) {
  return bytes.empty() ? null(env) : to_js(env, bytes);
}

// An own, enumerable property of an object made here.
void set_property(napi_env env, napi_value object, const char* name, napi_value value);

// Throw, unless an exception is pending already. All return null, so that a callback can return what they return.
napi_value throw_type_error(napi_env env, const char* code, const std::string& message);
napi_value throw_error(napi_env env, const char* code, const std::string& message);
bool exception_pending(napi_env env);

}  // namespace system_tls::binding
