#include <openssl/crypto.h>

#include <cstdio>
#include <cstring>

#include "test/check.h"

namespace system_tls::test {

std::vector<Test>& registry() {
  static std::vector<Test> tests;
  return tests;
}

}  // namespace system_tls::test

// Runs every test, or those whose name contains the argument.
int main(int argc, char** argv) {
  // What has ended is seen, even through a pipe, if the next test ends the process.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  int passed = 0;
  int failed = 0;
  for (const auto& test : system_tls::test::registry()) {
    if (argc > 1 && std::strstr(test.name.c_str(), argv[1]) == nullptr) continue;
    const bool ok = test.body();
    std::printf("  %s %s\n", ok ? "ok  " : "FAIL", test.name.c_str());
    ++(ok ? passed : failed);
  }
  // Nothing of OpenSSL's own may look like a leak to LeakSanitizer.
  OPENSSL_cleanup();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
