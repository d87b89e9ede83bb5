// ASYNC jobs (ASYNC_start_job(3)): calls of OpenSSL's on stacks of their own, which can be left and come back to.
#pragma once

#include <openssl/ssl.h>

namespace system_tls::engine {

// Jobs at a time on one thread: each paused one holds 40 KB. More handshakes than that wait for a free one.
inline constexpr int kJobsPerThread = 1024;

// Whether this platform has them: musl has not.
bool jobs_available();

// Whether one is running on this thread's stack.
bool in_job();

class Suspension;

// In a callback of OpenSSL's: until the question is answered. False: it was abandoned, or there is no job to wait in;
// it is closed then, and whoever asked has to refuse.
bool answered_in_job(Suspension& suspension);

// For one call that can reach a callback that waits. It is not left on, since it costs half of the speed on data.
class JobMode {
 public:
  JobMode(SSL* ssl, bool on);
  ~JobMode() {
    if (on_) SSL_clear_mode(ssl_, SSL_MODE_ASYNC);
  }
  JobMode(const JobMode&) = delete;
  JobMode& operator=(const JobMode&) = delete;

 private:
  SSL* ssl_;
  bool on_;
};

}  // namespace system_tls::engine
