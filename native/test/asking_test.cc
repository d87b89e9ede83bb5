// Callbacks that wait, by retry on a client and in an ASYNC job on a server, in the handshake and inside SSL_read:
// answered, refused, failed, never answered, answered twice, too late, and while others wait.
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/callbacks/verification.h"
#include "engine/job.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Answer;
using engine::Operation;
using engine::OperationId;
using engine::QuestionId;

constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
const Answer kAccept = Answer::of(X509_V_OK);
const Answer kRevoked = Answer::of(X509_V_ERR_CERT_REVOKED);

enum class Asker { client, server };
constexpr Asker kAskers[] = {Asker::client, Asker::server};

// Two ends, of which one or both ask.
struct AskingPair : Pair {
  explicit AskingPair(int version) : Pair(version, {}, true) {}

  End& end(Asker asker) { return asker == Asker::client ? client : server; }
  End& other(Asker asker) { return asker == Asker::client ? server : client; }

  bool ask(Asker asker) {
    if (asker == Asker::server) SSL_set_verify(server.connection->ssl(), SSL_VERIFY_PEER, nullptr);
    return end(asker).connection->set_may_ask(engine::kAskVerification, true);
  }
  // A handshake that stands still at the question of `asker`.
  bool wait(Asker asker) {
    if (!ask(asker)) return false;
    handshake();
    return end(asker).events.questions.size() == 1 && end(asker).connection->suspended();
  }
  bool carries() {
    client.write("there");
    server.write("back");
    const OperationId here = client.read();
    const OperationId there = server.read();
    pump();
    return client.events.reads[here] == "back" && server.events.reads[there] == "there";
  }
};

QuestionId question_of(const End& end) { return end.events.questions.back().id; }

bool answer(End& end, const Answer& given) { return end.connection->answer(question_of(end), given); }

const Register kAnswered("a callback that waits: answered, on either side", [] {
  for (const int version : kVersions) {
    for (const Asker asker : kAskers) {
      AskingPair pair(version);
      CHECK(pair.wait(asker));
      End& end = pair.end(asker);
      CHECK(end.connection->uses_job() == (asker == Asker::server));
      CHECK(static_cast<const engine::VerificationSubject&>(*end.events.questions[0].subject).report.chain_length == 1);
      // Nothing but the answer makes it go on.
      end.connection->advance();
      pair.pump();
      CHECK(end.events.questions.size() == 1 && !end.connection->established() && !end.connection->wants_input());
      CHECK(answer(end, kAccept));
      pair.pump();
      CHECK(!end.connection->suspended() && !end.connection->uses_job());
      CHECK(pair.client.connection->established() && pair.server.connection->established());
      // Also what nobody trusts, as the server does not trust this client.
      CHECK(SSL_get_verify_result(end.connection->ssl()) == X509_V_OK);
      CHECK(pair.carries());
    }
  }
  return true;
});

const Register kBoth("callbacks that wait on both sides of one handshake, in fragments", [] {
  for (const int version : kVersions) {
    AskingPair pair(version);
    CHECK(pair.ask(Asker::client) && pair.ask(Asker::server));
    pair.handshake(7);
    for (const Asker asker : kAskers) {
      CHECK(pair.end(asker).events.questions.size() == 1);
      CHECK(answer(pair.end(asker), kAccept));
      pair.pump(7);
    }
    CHECK(pair.carries());
  }
  return true;
});

const Register kRefused("a callback that waits: refused, with the alert that fits", [] {
  for (const int version : kVersions) {
    for (const Asker asker : kAskers) {
      AskingPair pair(version);
      CHECK(pair.wait(asker));
      // TLS 1.3: the client is through, and hears of it as it reads.
      pair.other(asker).read();
      CHECK(answer(pair.end(asker), kRevoked));
      pair.pump();
      const openssl::FailurePtr& failure = pair.end(asker).events.failure;
      CHECK(failure && failure->verify_result == X509_V_ERR_CERT_REVOKED && failure->question == 0);
      const openssl::FailurePtr& heard = pair.other(asker).events.failure;
      CHECK(heard && heard->errors[0].reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED);
    }
  }
  return true;
});

const Register kFailed("a callback that fails: the failure names its question", [] {
  for (const Asker asker : kAskers) {
    AskingPair pair(TLS1_3_VERSION);
    CHECK(pair.wait(asker));
    const QuestionId id = question_of(pair.end(asker));
    CHECK(answer(pair.end(asker), Answer::of(X509_V_ERR_APPLICATION_VERIFICATION, true)));
    pair.pump();
    CHECK(pair.end(asker).events.failure->question == id);
    CHECK(pair.end(asker).events.failed_count == 1);
  }
  return true;
});

// What LeakSanitizer watches: a paused job that is freed takes all with it that its stack owns.
const Register kAbandoned("a callback that nobody answers: freed, or failed and freed", [] {
  for (const int version : kVersions) {
    for (const Asker asker : kAskers) {
      { CHECK(AskingPair(version).wait(asker)); }
      AskingPair pair(version);
      CHECK(pair.wait(asker));
      End& end = pair.end(asker);
      const QuestionId id = question_of(end);
      end.connection->fail(openssl::named_failure("ERR_TLS_CLOSED", "over"));
      CHECK(end.connection->dead() && !end.connection->suspended() && !end.connection->uses_job());
      CHECK(end.events.failure->code == "ERR_TLS_CLOSED" && end.events.failed_count == 1);
      CHECK(end.events.questions.size() == 1);
      // Too late.
      CHECK(!end.connection->answer(id, kAccept));
      end.connection->advance();
      CHECK(!end.connection->established());
      CHECK(ERR_peek_error() == 0);
    }
  }
  return true;
});

const Register kAnsweredWrong("a callback that waits: answers that nobody waits for", [] {
  for (const Asker asker : kAskers) {
    AskingPair pair(TLS1_3_VERSION);
    End& end = pair.end(asker);
    CHECK(!end.connection->answer(0, kAccept) && !end.connection->answer(1, kAccept));
    CHECK(pair.wait(asker));
    const QuestionId id = question_of(end);
    CHECK(!end.connection->answer(0, kAccept) && !end.connection->answer(id + 1, kAccept));
    CHECK(end.connection->suspended());
    CHECK(end.connection->answer(id, kAccept));
    // Twice, before the first has been taken and behind it.
    CHECK(!end.connection->answer(id, kRevoked));
    pair.pump();
    CHECK(!end.connection->answer(id, kRevoked));
    CHECK(pair.carries());
    CHECK(!pair.other(asker).connection->answer(1, kRevoked));
  }
  return true;
});

const Register kMeanwhile("a callback that waits: what is started meanwhile waits, and what would change it is refused",
                          [] {
                            for (const Asker asker : kAskers) {
                              AskingPair pair(TLS1_2_VERSION);
                              CHECK(pair.wait(asker));
                              End& end = pair.end(asker);
                              const OperationId early = end.write("queued");
                              const OperationId cancelled = end.write("never");
                              const OperationId read = end.read();
                              CHECK(end.connection->write_now({reinterpret_cast<const std::uint8_t*>("x"), 1}) == 0);
                              CHECK(end.connection->cancel(cancelled) == engine::Cancelled::withdrawn);
                              CHECK(!end.connection->set_may_ask(engine::kAskVerification, false) &&
                                    end.connection->may_ask(engine::kAskVerification));
                              CHECK(end.connection->schedule_key_update(SSL_KEY_UPDATE_REQUESTED) != nullptr);
                              CHECK(end.connection->schedule_renegotiate(true) != nullptr);
                              CHECK(end.connection->set_shutdown(SSL_SENT_SHUTDOWN) != nullptr);
                              end.connection->advance();
                              CHECK(end.connection->suspended() && end.events.done.empty());
                              const OperationId other = pair.other(asker).read();
                              pair.other(asker).write("answer");
                              CHECK(answer(end, kAccept));
                              pair.pump();
                              CHECK(end.events.done.contains(early) && !end.events.done.contains(cancelled));
                              CHECK(pair.other(asker).events.reads[other] == "queued" &&
                                    end.events.reads[read] == "answer");
                            }
                            return true;
                          });

const Register kMany("callbacks that wait on many connections at once, ended in any order", [] {
  std::vector<std::unique_ptr<AskingPair>> pairs;
  for (int index = 0; index < 40; ++index) {
    pairs.push_back(std::make_unique<AskingPair>(kVersions[index % 2]));
    CHECK(pairs.back()->wait(kAskers[index / 2 % 2]));
  }
  for (std::size_t left = pairs.size(); left-- > 0;) {
    AskingPair& pair = *pairs[left * 7 % 40];
    const Asker asker = kAskers[left * 7 % 40 / 2 % 2];
    // An error of another connection's, raised while these are paused, is not theirs.
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    if (left % 5 == 0) {
      pair.end(asker).connection->fail(openssl::named_failure("ERR_TLS_CLOSED", "over"));
      continue;
    }
    CHECK(answer(pair.end(asker), left % 5 == 1 ? kRevoked : kAccept));
    pair.pump();
    if (left % 5 == 1) {
      CHECK(pair.end(asker).events.failure->verify_result == X509_V_ERR_CERT_REVOKED);
    } else {
      CHECK(pair.carries());
    }
  }
  return true;
});

const Register kNoJob("a server's callback waits for a job, where the thread has none left", [] {
  std::vector<std::unique_ptr<AskingPair>> pairs;
  for (int index = 0; index < engine::kJobsPerThread; ++index) {
    pairs.push_back(std::make_unique<AskingPair>(TLS1_2_VERSION));
    CHECK(pairs.back()->wait(Asker::server));
  }
  AskingPair last(TLS1_2_VERSION);
  CHECK(last.ask(Asker::server));
  last.handshake();
  CHECK(last.server.connection->wants_job() && last.server.events.questions.empty());
  // One more that is freed while it waits for one.
  {
    AskingPair gone(TLS1_2_VERSION);
    CHECK(gone.ask(Asker::server));
    gone.handshake();
    CHECK(gone.server.connection->wants_job());
  }
  CHECK(answer(pairs[7]->server, kAccept));
  pairs[7]->pump();
  last.server.connection->advance();
  last.pump();
  CHECK(!last.server.connection->wants_job() && last.server.events.questions.size() == 1);
  CHECK(answer(last.server, kAccept));
  last.pump();
  CHECK(last.carries());
  return true;
});

// Post-handshake authentication, or a renegotiation for the client's certificate: the question comes inside SSL_read.
struct ReadingPair : AskingPair {
  explicit ReadingPair(int version) : AskingPair(version) {}

  OperationId asked = 0;
  OperationId reading = 0;

  bool wait_in_read() {
    SSL_set_post_handshake_auth(client.connection->ssl(), 1);
    if (!server.connection->set_may_ask(engine::kAskVerification, true) || !handshake()) return false;
    reading = server.read();
    client.connection->start_flow();
    asked = server.start(Operation::ClientCertificate{true});
    pump();
    return server.events.questions.size() == 1 && server.connection->suspended() && server.connection->uses_job();
  }
};

const Register kInRead("a callback that waits inside SSL_read: answered, with data around it", [] {
  for (const int version : kVersions) {
    ReadingPair pair(version);
    CHECK(pair.wait_in_read());
    const OperationId write = pair.server.write("queued");
    // Trap: an SSL_write would resume the paused SSL_read, unanswered.
    pair.server.connection->advance();
    CHECK(!pair.server.events.done.contains(write) && pair.server.connection->suspended());
    pair.client.write("behind");
    CHECK(answer(pair.server, kAccept));
    pair.pump();
    CHECK(pair.server.events.done.contains(pair.asked) && pair.server.events.done.contains(write));
    CHECK(pair.server.events.reads[pair.reading] == "behind" && pair.client.events.flow == "queued");
    CHECK(SSL_get0_peer_certificate(pair.server.connection->ssl()) != nullptr);
  }
  return true;
});

const Register kInReadEnds("a callback that waits inside SSL_read: refused, failed, and never answered", [] {
  for (const int version : kVersions) {
    { CHECK(ReadingPair(version).wait_in_read()); }
    {
      ReadingPair refused(version);
      CHECK(refused.wait_in_read());
      CHECK(answer(refused.server, kRevoked));
      refused.pump();
      CHECK(refused.server.events.failures[refused.asked]->verify_result == X509_V_ERR_CERT_REVOKED);
      CHECK(refused.client.events.failure->errors[0].reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED);
    }
    ReadingPair closed(version);
    CHECK(closed.wait_in_read());
    const QuestionId id = question_of(closed.server);
    closed.server.connection->fail(openssl::named_failure("ERR_TLS_CLOSED", "over"));
    CHECK(closed.server.events.failures[closed.asked]->code == "ERR_TLS_CLOSED");
    CHECK(closed.server.events.failures[closed.reading]->code == "ERR_TLS_CLOSED");
    CHECK(!closed.server.connection->answer(id, kAccept));
  }
  return true;
});

const Register kAgain("a client is asked again by a renegotiation, and data crosses", [] {
  AskingPair pair(TLS1_2_VERSION);
  SSL_set_options(pair.server.connection->ssl(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  CHECK(pair.wait(Asker::client));
  CHECK(answer(pair.client, kAccept));
  pair.pump();
  pair.client.connection->start_flow();
  pair.server.connection->start_flow();
  const OperationId renegotiation = pair.client.start(Operation::Renegotiate{});
  pair.server.write("crossing");
  pair.pump();
  CHECK(pair.client.events.questions.size() == 2 && pair.client.connection->suspended());
  CHECK(!pair.client.connection->answer(pair.client.events.questions[0].id, kRevoked));
  CHECK(answer(pair.client, kAccept));
  pair.pump();
  CHECK(pair.client.events.done.contains(renegotiation) && pair.client.events.flow == "crossing");
  pair.client.start(Operation::Renegotiate{});
  pair.pump();
  CHECK(answer(pair.client, kRevoked));
  pair.pump();
  CHECK(pair.client.events.failure->verify_result == X509_V_ERR_CERT_REVOKED);
  CHECK(pair.server.connection->dead());
  return true;
});

}  // namespace
}  // namespace system_tls::test
