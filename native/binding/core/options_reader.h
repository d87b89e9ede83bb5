// Reads the properties of an options object. The first property of a wrong type, or whose getter throws, leaves an
// exception pending, and everything after it is skipped: callers look at ok() once, at the end.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "binding/core/values.h"

namespace system_tls::binding {

// A vector of bytes is bytes, not an array of numbers.
template <typename T>
concept NoByte = !std::is_same_v<T, std::uint8_t>;

class OptionsReader {
 public:
  // Throws ERR_INVALID_ARG_TYPE unless `object` is an object; `path` is what messages call it.
  OptionsReader(napi_env env, napi_value object, std::string path);

  bool ok() const { return ok_; }

  // Absent, undefined and null all leave `out` as it is.
  template <typename T>
  OptionsReader& read(const char* name, T& out) {
    napi_value value = get(name);
    if (value != nullptr && !from_js(env_, value, out)) reject(name, type_name<T>());
    return *this;
  }

  template <typename T>
  OptionsReader& read(const char* name, std::optional<T>& out) {
    napi_value value = get(name);
    if (value == nullptr) return *this;
    T element{};
    if (!from_js(env_, value, element)) return reject(name, type_name<T>());
    out = std::move(element);
    return *this;
  }

  // An array whose elements from_js() understands.
  template <NoByte T>
  OptionsReader& read(const char* name, std::vector<T>& out) {
    return each(name, [&](napi_value element, const std::string& path) {
      T converted{};
      if (!from_js(env_, element, converted)) return fail(path, type_name<T>());
      out.push_back(std::move(converted));
      return true;
    });
  }

  // An array of objects: `read_element(OptionsReader&)` reads one, its ok() is looked at here.
  template <typename Function>
  OptionsReader& objects(const char* name, Function read_element) {
    return each(name, [&](napi_value element, const std::string& path) {
      OptionsReader reader(env_, element, path);
      if (reader.ok()) read_element(reader);
      return reader.ok();
    });
  }

  // The property; null if it is absent, undefined or null, or something failed before.
  napi_value get(const char* name);
  // Throws ERR_INVALID_ARG_TYPE about a property that only the caller can judge.
  OptionsReader& reject(const char* name, const char* expected);

 private:
  template <typename Function>
  OptionsReader& each(const char* name, Function function) {
    napi_value array = get(name);
    if (array == nullptr) return *this;
    bool is_array = false;
    if (napi_is_array(env_, array, &is_array) != napi_ok || !is_array) return reject(name, "an array");
    std::uint32_t length = 0;
    napi_get_array_length(env_, array, &length);
    for (std::uint32_t index = 0; ok_ && index < length; ++index) {
      napi_value element = nullptr;
      ok_ = napi_get_element(env_, array, index, &element) == napi_ok &&
            function(element, path_ + "." + name + "[" + std::to_string(index) + "]");
    }
    return *this;
  }

  // Always false.
  bool fail(const std::string& path, const char* expected);

  napi_env env_;
  napi_value object_;
  std::string path_;
  bool ok_ = true;
};

}  // namespace system_tls::binding
