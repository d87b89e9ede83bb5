// Proof that no call of ours, and none inside libssl, lands in the OpenSSL that node brings along.
//
// The version string proves nothing, since both copies may have the same. What counts is where the loader bound our
// references (by address) and where it bound those inside libssl (by an error that must arrive in libcrypto's queue).
#pragma once

#include <string>
#include <vector>

namespace system_tls::openssl {

struct IsolationReport {
  bool isolated = false;
  std::string libssl;            // absolute path of the image that our SSL_ calls reach
  std::string libcrypto;         // absolute path of the image that our EVP_ calls reach
  unsigned long error_seen = 0;  // the error provoked inside libssl, as found in libcrypto's queue
  // What follows is set when the proof failed.
  std::string cause;
  std::string culprit;  // the file to blame
  std::string cure;
};

// Runs the proof on the first call; the bindings of a loaded image never change, so neither does the answer.
const IsolationReport& isolation();

// Whether the program itself exports an OpenSSL that a plainly loaded library would bind to.
bool program_exports_openssl();

// Whether the loader can put a library's own dependencies before the program's symbols.
bool loader_can_isolate();

}  // namespace system_tls::openssl
