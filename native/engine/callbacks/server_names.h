// The context of a server's connection by the name that its client sends (SNI), at the ClientHello.
//
// The names that are known are looked up at once, on the thread of the connection; for others a function of the
// application's may be asked.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/question.h"
#include "openssl/context/context.h"
#include "openssl/context/context_switch.h"

namespace system_tls::engine {

class Connection;

// What a connection is switched to.
struct ContextChoice {
  // Whom the context verifies, if it says so; otherwise the connection goes on as it is.
  struct Verification {
    int mode = SSL_VERIFY_NONE;
    bool go_on = false;
    // It is the application's to decide.
    bool asks = false;
    openssl::Bytes session_policy;
  };

  std::shared_ptr<const openssl::Context> context;
  std::optional<Verification> verification;
  // The owner's name for it, never 0.
  std::int32_t tag = 0;
};

// One generation of names. Immutable once it is shared: connections of several threads look in it. The next generation
// shares with it all that does not change: names lie in buckets by their hash, and a change copies one bucket.
class ServerNames {
 public:
  ServerNames() = default;
  // With the names of `base`, which may be null. It does not have what becomes of them here.
  explicit ServerNames(const std::shared_ptr<const ServerNames>& base);
  ServerNames(const ServerNames&) = delete;
  ServerNames& operator=(const ServerNames&) = delete;

  // `pattern`: a name in lower case, without a dot at its end; "*." in front stands for one label.
  void add(const std::string& pattern, ContextChoice choice);
  void remove(const std::string& pattern);

  // Whoever has other names is asked about (by a question), or sent away with unrecognized_name.
  bool asks = false;
  bool rejects = false;

  // Of a name in the same form. Null: there is none.
  const ContextChoice* find(std::string_view name) const;

 private:
  // At 10,000 names, 40 in each.
  static constexpr std::size_t kBuckets = 256;
  using Bucket = std::map<std::string, std::shared_ptr<const ContextChoice>, std::less<>>;

  static std::size_t place_of(std::string_view key);
  // That of a key, to change it.
  Bucket& own_bucket(std::string_view key);
  const ContextChoice* look_up(std::string_view key) const;

  // A null pointer is an empty bucket. The key of a wildcard is what follows its "*": no name begins with a dot.
  std::array<std::shared_ptr<Bucket>, kBuckets> buckets_;
  // Those that no other generation has.
  std::bitset<kBuckets> own_;
};

// An answer's result is 0 (go on), or the alert to send. It has switched the context, or left it.
class ServerNameSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 2;
  explicit ServerNameSubject(std::string asked) : Subject(kKind), name(std::move(asked)) {}

  const std::string name;
};

// A stage of answer_hello().
int decide_name(Connection& connection);
// On OpenSSL's stack, in that callback. 0, or an alert. Sessions of another name are not resumed.
int switch_context(SSL* ssl, const ContextChoice& choice);

// The name in the server_name extension of a ClientHello, in the form of ServerNames. Nothing: there is no such
// extension, or OpenSSL will refuse it. Empty: what is in it is the name of no host.
std::optional<std::string> hello_server_name(SSL* ssl);

}  // namespace system_tls::engine
