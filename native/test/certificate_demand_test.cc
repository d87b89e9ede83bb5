// Which verify mode a server's connection has while it asks for a certificate, and afterwards.
#include "engine/certificate_demand.h"

#include "test/check.h"

namespace system_tls::test {
namespace {

using engine::CertificateDemand;

const int kOptional = CertificateDemand::mode_for(false);
const int kRequired = CertificateDemand::mode_for(true);

const Register kRestored("certificate demand: whoever gives up leaves the mode that was there", [] {
  for (const int own : {SSL_VERIFY_NONE, SSL_VERIFY_PEER, kRequired | SSL_VERIFY_CLIENT_ONCE}) {
    CertificateDemand demand;
    CHECK(demand.reconsider(own, SSL_VERIFY_NONE) == own);
    CHECK(demand.demand(own, kRequired) == kRequired);
    CHECK(demand.demand(kRequired, kOptional) == kOptional);
    CHECK(demand.reconsider(kOptional, SSL_VERIFY_NONE) == own);
    CHECK(demand.reconsider(own, SSL_VERIFY_NONE) == own);
  }
  return true;
});

const Register kShown("certificate demand: a certificate that was shown is asked for again, unless once is enough", [] {
  CertificateDemand demand;
  CHECK(demand.demand(SSL_VERIFY_NONE, kRequired) == kRequired);
  demand.request_sent();
  CHECK(demand.conclude(kRequired, SSL_VERIFY_NONE, true) == kRequired && !demand.request_out());
  CertificateDemand once;
  once.demand(SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, kOptional);
  CHECK(once.conclude(kOptional, SSL_VERIFY_NONE, true) == (kOptional | SSL_VERIFY_CLIENT_ONCE));
  return true;
});

const Register kNotShown("certificate demand: who has shown none is as before, and others still wait", [] {
  CertificateDemand demand;
  demand.demand(SSL_VERIFY_NONE, kOptional);
  CHECK(demand.conclude(kOptional, kRequired, false) == kRequired);
  CHECK(demand.conclude(kRequired, SSL_VERIFY_NONE, false) == SSL_VERIFY_NONE);
  return true;
});

const Register kOut("certificate demand: of a request that is out, nobody's wish is no refusal, but the own mode is",
                    [] {
                      for (const int own : {SSL_VERIFY_NONE, kRequired}) {
                        CertificateDemand demand;
                        demand.demand(own, kRequired);
                        demand.request_sent();
                        const int expected = own == kRequired ? kRequired : kOptional;
                        CHECK(demand.reconsider(kRequired, SSL_VERIFY_NONE) == expected);
                        CHECK(demand.conclude(expected, SSL_VERIFY_NONE, false) == own);
                      }
                      return true;
                    });

const Register kForeign("certificate demand: a mode that the application sets meanwhile is its own, and stays", [] {
  CertificateDemand demand;
  demand.demand(SSL_VERIFY_NONE, kRequired);
  CHECK(demand.reconsider(SSL_VERIFY_PEER, kRequired) == SSL_VERIFY_PEER);
  demand.demand(SSL_VERIFY_NONE, kRequired);
  CHECK(demand.demand(SSL_VERIFY_PEER, kRequired) == kRequired);
  CHECK(demand.reconsider(kRequired, SSL_VERIFY_NONE) == SSL_VERIFY_PEER);
  demand.demand(SSL_VERIFY_NONE, kRequired);
  CHECK(demand.conclude(SSL_VERIFY_PEER, SSL_VERIFY_NONE, true) == SSL_VERIFY_PEER);
  return true;
});

const Register kAnswered("certificate demand: a Finished answers the request that was sent before it, and no other",
                         [] {
                           CertificateDemand demand;
                           demand.finished_received();
                           CHECK(!demand.request_answered() && !demand.request_out());
                           demand.request_sent();
                           CHECK(demand.request_out() && !demand.request_answered());
                           demand.finished_received();
                           CHECK(demand.request_out() && demand.request_answered());
                           demand.conclude(SSL_VERIFY_NONE, SSL_VERIFY_NONE, false);
                           CHECK(!demand.request_out() && !demand.request_answered());
                           return true;
                         });

}  // namespace
}  // namespace system_tls::test
