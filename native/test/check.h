// The smallest harness that serves: tests register themselves, a failed check says where and ends the test.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace system_tls::test {

// How long what must happen may take: far longer than it does, under sanitizers and on a busy machine, too.
inline constexpr std::chrono::minutes kPatience{2};

struct Test {
  std::string name;
  std::function<bool()> body;
};

std::vector<Test>& registry();

struct Register {
  Register(std::string name, std::function<bool()> body) { registry().push_back({std::move(name), std::move(body)}); }
};

}  // namespace system_tls::test

#define CHECK(condition)                                                               \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      std::fprintf(stderr, "    %s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      return false;                                                                    \
    }                                                                                  \
  } while (false)
