#include "engine/job.h"

#include <openssl/async.h>

#include "engine/suspension.h"

namespace system_tls::engine {

namespace {

// The pool belongs to the thread and ends with it. OpenSSL would make one by itself, without a bound.
void prepare_thread() {
  thread_local bool prepared = false;
  if (prepared) return;
  prepared = ASYNC_init_thread(kJobsPerThread, 0) == 1;
}

}  // namespace

bool jobs_available() { return ASYNC_is_capable() == 1; }

bool in_job() { return ASYNC_get_current_job() != nullptr; }

bool answered_in_job(Suspension& suspension) {
  while (suspension.waits() && in_job() && ASYNC_pause_job() == 1) {
  }
  if (!suspension.answered()) suspension.close_question();
  return suspension.answered();
}

JobMode::JobMode(SSL* ssl, bool on) : ssl_(ssl), on_(on) {
  if (!on_) return;
  prepare_thread();
  SSL_set_mode(ssl_, SSL_MODE_ASYNC);
}

}  // namespace system_tls::engine
