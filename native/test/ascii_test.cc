// Names in ASCII, whose case does not count.
#include "openssl/library/ascii.h"

#include "test/check.h"

namespace system_tls::test {
namespace {

using openssl::begins_with_ignoring_case;

const Register kPrefixes("ascii: a prefix, whatever its case", [] {
  CHECK(begins_with_ignoring_case("file:key.pem", "file:"));
  CHECK(begins_with_ignoring_case("FILE:key.pem", "file:"));
  CHECK(begins_with_ignoring_case("RC2-40-CBC", "rc2"));
  CHECK(begins_with_ignoring_case("des-ede3-cbc", "DES-EDE"));
  CHECK(begins_with_ignoring_case("x", ""));
  return true;
});

const Register kOthers("ascii: what is no prefix", [] {
  CHECK(!begins_with_ignoring_case("file", "file:"));
  CHECK(!begins_with_ignoring_case("", "a"));
  CHECK(!begins_with_ignoring_case("pkcs11:object=key", "file:"));
  // '[' and '{' differ by the bit that the case of letters is in.
  CHECK(!begins_with_ignoring_case("[", "{"));
  // Nor is a letter beyond ASCII lowered.
  CHECK(!begins_with_ignoring_case("\xC4", "\xE4"));
  return true;
});

}  // namespace
}  // namespace system_tls::test
