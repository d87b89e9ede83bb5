#include "engine/callbacks/server_names.h"

#include <openssl/tls1.h>

#include <algorithm>

#include "engine/callbacks/hello.h"
#include "engine/connection.h"
#include "engine/job.h"
#include "openssl/context/negotiation.h"
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

// RFC 6066 section 3: a list of one entry, whose type is 0.
std::optional<openssl::ByteView> only_entry(openssl::ByteView list) {
  constexpr std::size_t kHeader = 5;
  if (list.size() < kHeader || openssl::two_bytes(list) != list.size() - 2 || list[2] != TLSEXT_NAMETYPE_host_name) {
    return std::nullopt;
  }
  if (openssl::two_bytes(list.subspan(3)) != list.size() - kHeader) return std::nullopt;
  return list.subspan(kHeader);
}

int refuse_name(HelloState& hello) {
  hello.refusal = HelloState::Refusal::unknown;
  return SSL_AD_UNRECOGNIZED_NAME;
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
  HelloState& hello = *connection.hello();
  const auto& verification = choice.verification;
  const bool keeps = hello.own_verification || !verification;
  if (!keeps) hello.session_policy = verification->session_policy;
  openssl::SwitchPolicy policy;
  policy.verify_mode = keeps ? SSL_get_verify_mode(ssl) : verification->mode;
  policy.verify_continue = keeps ? openssl::goes_on_unverified(ssl) : verification->go_on;
  policy.session_policy = hello.session_policy;
  policy.scope = hello.name;
  policy.own = hello.own;
  if (!openssl::switch_context(ssl, *choice.context, policy)) return SSL_AD_INTERNAL_ERROR;
  const bool asks = keeps ? connection.may_ask(kAskVerification) : verification->asks;
  return connection.context_switched(choice.tag, asks) ? kGoOn : SSL_AD_INTERNAL_ERROR;
}

int decide_name(Connection& connection) {
  HelloState& hello = *connection.hello();
  // What onClientHello has switched to stays.
  if (hello.names == nullptr || hello.again || hello.tag != 0) return kGoOn;
  SSL* ssl = connection.ssl();
  if (Suspension* suspension = connection.suspension(); suspension != nullptr && suspension->answered()) {
    const int result = suspension->take(ssl);
    return result == SSL_AD_UNRECOGNIZED_NAME ? refuse_name(hello) : result;
  }
  if (!hello_server_name(ssl)) return kGoOn;
  if (const ContextChoice* choice = hello.names->find(hello.name)) return switch_context(ssl, *choice);
  if (hello.names->asks && !hello.name.empty()) {
    connection.ask(std::make_shared<ServerNameSubject>(hello.name));
    return kStageWaits;
  }
  return hello.names->rejects ? refuse_name(hello) : kGoOn;
}

void Connection::use_names(const ConnectionOptions& options) {
  set_may_ask(kAskServerName, true);
  openssl::acknowledge_names(SSL_get_SSL_CTX(ssl_.get()));
  hello_->names = options.names;
}

void Connection::note_own_verification(const openssl::Bytes& session_policy) {
  if (!hello_) return;
  hello_->own_verification = true;
  hello_->session_policy = session_policy;
}

void Connection::set_quiet_shutdown(bool on) {
  SSL_set_quiet_shutdown(ssl_.get(), on ? 1 : 0);
  if (hello_) hello_->own.quiet_shutdown = true;
}

void Connection::disable_renegotiation() {
  SSL_set_options(ssl_.get(), SSL_OP_NO_RENEGOTIATION);
  if (hello_) hello_->own.no_renegotiation = true;
}

void Connection::set_max_send_fragment(std::uint32_t size) {
  openssl::set_max_send_fragment(ssl_.get(), size);
  if (hello_) hello_->own.max_send_fragment = true;
}

// On OpenSSL's stack, between the first look at a ClientHello and everything that follows from it: nothing waits,
// although the call that is being repeated counts as left unfinished until it returns.
bool Connection::ask_verification(bool asks) {
  if (asks && !jobs_available()) return false;
  if (asks && !suspension_) suspension_ = std::make_unique<Suspension>();
  may_ask_ = asks ? may_ask_ | kAskVerification : may_ask_ & ~std::uint32_t{kAskVerification};
  return true;
}

// As ask_verification(), and then OpenSSL's part.
bool Connection::verify_by(const ContextChoice::Verification& verification) {
  SSL* ssl = ssl_.get();
  openssl::set_verification(ssl, verification.mode, verification.go_on);
  return ask_verification(verification.asks) &&
         openssl::separate_sessions(ssl, verification.mode, verification.go_on, verification.session_policy);
}

bool Connection::context_switched(std::int32_t tag, bool asks) {
  if (!ask_verification(asks)) return false;
  hello_->tag = tag;
  watch_certificate();
  if ((observe_ & kObserveKeylog) != 0) openssl::start_keylog(ssl_.get());
  return true;
}

std::int32_t Connection::context_tag() const { return hello_ ? hello_->tag : 0; }

}  // namespace system_tls::engine
