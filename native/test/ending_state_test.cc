// What is kept of how a connection ends, and what is a loss.
#include "engine/ending.h"

#include <openssl/ssl3.h>

#include "test/check.h"

namespace system_tls::test {
namespace {

using engine::Ending;

const openssl::FailurePtr kFirst = openssl::named_failure("FIRST", "");
const openssl::FailurePtr kSecond = openssl::named_failure("SECOND", "");

const Register kFirstKept("ending: the sending half ends once, breaks once, and keeps its first failure", [] {
  Ending ending;
  CHECK(!ending.send_failure() && !ending.output_broken());
  ending.end_sending(kFirst);
  CHECK(ending.send_failure() == kFirst && !ending.output_broken() && !ending.dead());
  CHECK(ending.break_output(kSecond, 0, false));
  CHECK(!ending.break_output(kSecond, 0, false));
  ending.end_sending(kSecond);
  CHECK(ending.send_failure() == kFirst && ending.output_broken() && !ending.output_lost());
  return true;
});

const Register kLoss("ending: tickets and a goodbye are no loss, and what was lost stays lost", [] {
  const auto loses = [](std::size_t tickets, std::size_t goodbye, bool sent, std::size_t unsent) {
    Ending ending;
    ending.tickets_made(tickets);
    ending.close_notify_made(goodbye);
    ending.break_output(kFirst, unsent, sent);
    const bool lost = ending.output_lost();
    ending.break_output(kFirst, 0, sent);
    return lost && ending.output_lost();
  };
  CHECK(!loses(0, 0, false, 0) && loses(0, 0, false, 1));
  CHECK(!loses(500, 0, false, 500) && loses(500, 0, false, 499) && loses(500, 0, false, 501));
  CHECK(!loses(0, 24, true, 24) && loses(0, 24, false, 24) && loses(0, 24, true, 25));
  CHECK(!loses(500, 24, true, 524) && loses(500, 24, true, 525));
  Ending data;
  data.tickets_made(500);
  data.data_made();
  CHECK(!data.only_tickets(500) && !data.only_tickets(0) && !data.only_goodbye(1));
  return true;
});

const Register kTold("ending: the failure of the whole is told once", [] {
  Ending ending;
  ending.die(kFirst);
  CHECK(ending.dead() && ending.failure() == kFirst && !ending.told());
  CHECK(ending.tell() && !ending.tell() && ending.told());
  return true;
});

const Register kAlerts("ending: the last alert explains, and a close_notify is not forgotten behind another", [] {
  Ending ending;
  CHECK(!ending.alert_is_fatal() && !ending.close_notify_received());
  ending.alert_seen({SSL3_AL_WARNING, SSL3_AD_CLOSE_NOTIFY, false});
  CHECK(!ending.close_notify_received());
  ending.alert_seen({SSL3_AL_WARNING, SSL3_AD_CLOSE_NOTIFY, true});
  ending.alert_seen({SSL3_AL_FATAL, SSL3_AD_UNEXPECTED_MESSAGE, false});
  CHECK(ending.close_notify_received() && ending.alert_is_fatal());
  CHECK(ending.last_alert().description == SSL3_AD_UNEXPECTED_MESSAGE && !ending.last_alert().received);
  return true;
});

}  // namespace
}  // namespace system_tls::test
