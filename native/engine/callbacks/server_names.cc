#include "engine/callbacks/server_names.h"

#include <openssl/async.h>
#include <openssl/tls1.h>

#include <algorithm>

#include "engine/callbacks/verification.h"
#include "engine/connection.h"
#include "engine/job.h"
#include "openssl/library/bytes.h"
#include "openssl/trust/verification.h"

namespace system_tls::engine {

namespace {

constexpr int kGoOn = 0;

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

bool in_host_names(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
         letter == '.';
}

// RFC 6066 section 3: no literal addresses. Those of IPv6 have colons, which no name has.
bool is_ipv4(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](char letter) { return letter == '.' || (letter >= '0' && letter <= '9'); });
}

bool is_host_name(std::string_view name) {
  constexpr std::size_t kLongest = 253;
  if (name.empty() || name.size() > kLongest || name.front() == '.' || name.back() == '.' ||
      name.find("..") != std::string_view::npos) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), in_host_names) && !is_ipv4(name);
}

std::string normalized(openssl::ByteView bytes) {
  std::string name(bytes.begin(), bytes.end());
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (!name.empty() && name.back() == '.') name.pop_back();
  return is_host_name(name) ? name : std::string();
}

std::size_t two_bytes(openssl::ByteView bytes) { return std::size_t{bytes[0]} << 8 | bytes[1]; }

// RFC 6066 section 3: a list of one entry, whose type is 0.
std::optional<openssl::ByteView> only_entry(openssl::ByteView list) {
  constexpr std::size_t kHeader = 5;
  if (list.size() < kHeader || two_bytes(list) != list.size() - 2 || list[2] != TLSEXT_NAMETYPE_host_name) {
    return std::nullopt;
  }
  if (two_bytes(list.subspan(3)) != list.size() - kHeader) return std::nullopt;
  return list.subspan(kHeader);
}

int refuse(Naming& naming, Naming::Refusal why, int* alert) {
  naming.refusal = why;
  // RFC 8446 section 4.1.2: behind a HelloRetryRequest the rest of the ClientHello is the same.
  *alert = why == Naming::Refusal::changed ? SSL_AD_ILLEGAL_PARAMETER : SSL_AD_UNRECOGNIZED_NAME;
  return SSL_CLIENT_HELLO_ERROR;
}

int decide(Naming& naming, int result, int* alert) {
  naming.decided = true;
  if (result == kGoOn) return SSL_CLIENT_HELLO_SUCCESS;
  if (result == SSL_AD_UNRECOGNIZED_NAME) return refuse(naming, Naming::Refusal::unknown, alert);
  *alert = result;
  return SSL_CLIENT_HELLO_ERROR;
}

// Of a second ClientHello. What was decided and verified holds for the name of the first one.
int check_again(Naming& naming, SSL* ssl, int* alert) {
  const std::string name = hello_server_name(ssl).value_or(std::string());
  return name == naming.name ? SSL_CLIENT_HELLO_SUCCESS : refuse(naming, Naming::Refusal::changed, alert);
}

// What verifies in a job needs one, and until now nobody knew: the handshake is driven again, in one.
int go_on_in_job(const Connection& connection, int decided) {
  const bool needs_job = verification_may_pause(connection) && ASYNC_get_current_job() == nullptr;
  return decided == SSL_CLIENT_HELLO_SUCCESS && needs_job ? SSL_CLIENT_HELLO_RETRY : decided;
}

std::string_view key_of(std::string_view pattern) { return pattern.starts_with("*.") ? pattern.substr(1) : pattern; }

}  // namespace

ServerNames::ServerNames(const std::shared_ptr<const ServerNames>& base) {
  if (base) buckets_ = base->buckets_;
}

void ServerNames::add(const std::string& pattern, ContextChoice choice) {
  openssl::acknowledge_names(choice.context->get());
  const std::string_view key = key_of(pattern);
  own_bucket(key).insert_or_assign(std::string(key), std::make_shared<const ContextChoice>(std::move(choice)));
}

void ServerNames::remove(const std::string& pattern) {
  const std::string_view key = key_of(pattern);
  if (look_up(key) != nullptr) own_bucket(key).erase(std::string(key));
}

const ContextChoice* ServerNames::find(std::string_view name) const {
  if (const ContextChoice* exact = look_up(name)) return exact;
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? nullptr : look_up(name.substr(dot));
}

std::size_t ServerNames::place_of(std::string_view key) { return std::hash<std::string_view>()(key) % kBuckets; }

ServerNames::Bucket& ServerNames::own_bucket(std::string_view key) {
  const std::size_t place = place_of(key);
  std::shared_ptr<Bucket>& bucket = buckets_[place];
  if (!own_[place]) {
    bucket = bucket ? std::make_shared<Bucket>(*bucket) : std::make_shared<Bucket>();
    own_.set(place);
  }
  return *bucket;
}

const ContextChoice* ServerNames::look_up(std::string_view key) const {
  const std::shared_ptr<Bucket>& bucket = buckets_[place_of(key)];
  if (!bucket) return nullptr;
  const auto found = bucket->find(key);
  return found == bucket->end() ? nullptr : found->second.get();
}

std::optional<std::string> hello_server_name(SSL* ssl) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1) return std::nullopt;
  const std::optional<openssl::ByteView> entry = only_entry({data, size});
  return entry ? std::optional(normalized(*entry)) : std::nullopt;
}

int switch_context(SSL* ssl, const ContextChoice& choice) {
  // Given by the function, perhaps.
  openssl::acknowledge_names(choice.context->get());
  Connection& connection = *Connection::from(ssl);
  Naming& naming = *connection.naming();
  const auto& verification = choice.verification;
  const bool keeps = naming.own_verification || !verification;
  if (!keeps) naming.session_policy = verification->session_policy;
  openssl::SwitchPolicy policy;
  policy.verify_mode = keeps ? SSL_get_verify_mode(ssl) : verification->mode;
  policy.verify_continue = keeps ? openssl::goes_on_unverified(ssl) : verification->go_on;
  policy.session_policy = naming.session_policy;
  policy.scope = naming.name;
  policy.own_depth = naming.own_depth;
  policy.own_quiet_shutdown = naming.own_quiet_shutdown;
  if (!openssl::switch_context(ssl, *choice.context, policy)) return SSL_AD_INTERNAL_ERROR;
  const bool asks = keeps ? connection.may_ask(kAskVerification) : verification->asks;
  return connection.context_switched(choice.tag, asks) ? kGoOn : SSL_AD_INTERNAL_ERROR;
}

int choose_context(Connection& connection, int* alert) {
  Naming& naming = *connection.naming();
  SSL* ssl = connection.ssl();
  if (naming.decided) return check_again(naming, ssl, alert);
  Suspension& suspension = *connection.suspension();
  if (suspension.abandoned()) return decide(naming, SSL_AD_INTERNAL_ERROR, alert);
  if (suspension.answered()) return go_on_in_job(connection, decide(naming, suspension.take(ssl), alert));
  const std::optional<std::string> name = hello_server_name(ssl);
  if (!name) return decide(naming, kGoOn, alert);
  naming.name = *name;
  if (const ContextChoice* choice = naming.names->find(*name)) {
    return go_on_in_job(connection, decide(naming, switch_context(ssl, *choice), alert));
  }
  if (naming.names->asks && !name->empty()) {
    connection.ask(std::make_shared<ServerNameSubject>(*name));
    return SSL_CLIENT_HELLO_RETRY;
  }
  return decide(naming, naming.names->rejects ? SSL_AD_UNRECOGNIZED_NAME : kGoOn, alert);
}

std::string Naming::refusal_text() const {
  if (refusal == Refusal::changed) {
    return "The client sent another server name than in its first ClientHello" +
           (name.empty() ? std::string() : ", which had '" + name + "'");
  }
  if (name.empty()) return "The client sent a server name that is no name of a host, and unknown ones are refused";
  return "The client asked for the server name '" + name + "', which this server does not have";
}

void Connection::use_names(const ConnectionOptions& options) {
  set_may_ask(kAskServerName, true);
  openssl::acknowledge_names(SSL_get_SSL_CTX(ssl_.get()));
  naming_ = std::make_unique<Naming>();
  naming_->names = options.names;
  naming_->own_depth = options.verify_depth >= 0;
  naming_->session_policy = options.session_policy;
}

void Connection::note_own_verification(const openssl::Bytes& session_policy) {
  if (!naming_) return;
  naming_->own_verification = true;
  naming_->session_policy = session_policy;
}

void Connection::set_quiet_shutdown(bool on) {
  SSL_set_quiet_shutdown(ssl_.get(), on ? 1 : 0);
  if (naming_) naming_->own_quiet_shutdown = true;
}

// On OpenSSL's stack, between the first look at a ClientHello and everything that follows from it: nothing waits,
// although the call that is being repeated counts as left unfinished until it returns.
bool Connection::context_switched(std::int32_t tag, bool asks) {
  if (asks && !jobs_available()) return false;
  may_ask_ = asks ? may_ask_ | kAskVerification : may_ask_ & ~std::uint32_t{kAskVerification};
  naming_->tag = tag;
  if ((observe_ & kObserveKeylog) != 0) openssl::start_keylog(ssl_.get());
  return true;
}

std::int32_t Connection::context_tag() const { return naming_ ? naming_->tag : 0; }

}  // namespace system_tls::engine
