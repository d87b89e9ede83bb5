#include "io/threads/io_thread.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach/mach.h>
#endif

#include <array>
#include <cerrno>
#include <string>

#include "io/transports/fd.h"

namespace system_tls::io {

using openssl::FailurePtr;

namespace {
// At least what a loop opens for itself: epoll, a pair for signals, an eventfd or a pair to be woken by, io_uring.
constexpr std::size_t kDescriptorsOfLoop = 8;

// Whether so many are left: EMFILE or ENFILE if not. Where uv_loop_init() fails for want of the second one, libuv 1.46
// (and what follows it) leaves the first one open.
int descriptors_for_loop() {
  std::array<Fd, kDescriptorsOfLoop> probes;
  for (Fd& probe : probes) {
    probe = Fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    if (!probe && (errno == EMFILE || errno == ENFILE)) return errno;
  }
  return 0;
}
// Linux has room for fifteen letters.
void name_this_thread(const std::string& name) {
#ifdef __APPLE__
  pthread_setname_np(name.c_str());
#elif defined(__linux__)
  pthread_setname_np(pthread_self(), name.c_str());
#else
  static_cast<void>(name);
#endif
}
}  // namespace

std::shared_ptr<IoThread> IoThread::open(const std::weak_ptr<Owner>& owner, std::span<const Slab> slabs,
                                         std::size_t number, FailurePtr& failure) {
  const std::shared_ptr<Owner> living = owner.lock();
  std::shared_ptr<IoThread> thread(new IoThread(owner, living->activity(), slabs, number));
  failure = thread->start(*living);
  return failure ? nullptr : thread;
}

FailurePtr IoThread::start(const Owner& owner) {
  const int missing = descriptors_for_loop();
  if (missing != 0) return openssl::system_failure(missing, "uv_loop_init");
  int result = uv_loop_init(&loop_);
  if (result != 0) return openssl::system_failure(-result, "uv_loop_init");
  loop_open_ = true;
  reactor_ = Reactor::open(&loop_, *this, slabs_, [] {});
  if (reactor_) {
    reactor_->set_activity(activity_);
    reactor_->share_offered(owner.offered());
    mailbox_ = Mailbox::open(&loop_, reactor_->lease());
  }
  if (!mailbox_) return openssl::system_failure(ENOMEM, "uv_async_init");
  // Signals are the business of the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  result = uv_thread_create(&thread_, run_loop, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  running_ = result == 0;
  return running_ ? nullptr : openssl::system_failure(-result, "pthread_create");
}

std::uint64_t IoThread::processor_time() const {
  if (!running_) return 0;
#ifdef __APPLE__
  thread_basic_info_data_t info{};
  mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
  const mach_port_t port = pthread_mach_thread_np(thread_);
  if (thread_info(port, THREAD_BASIC_INFO, reinterpret_cast<thread_info_t>(&info), &count) != KERN_SUCCESS) return 0;
  const auto seconds = static_cast<std::uint64_t>(info.user_time.seconds + info.system_time.seconds);
  const auto rest = static_cast<std::uint64_t>(info.user_time.microseconds + info.system_time.microseconds);
  return seconds * 1'000'000'000 + rest * 1'000;
#elif defined(_POSIX_THREAD_CPUTIME) && _POSIX_THREAD_CPUTIME >= 0
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread_, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
#else
  return 0;
#endif
}

void IoThread::run_loop(void* self) {
  auto& thread = *static_cast<IoThread*>(self);
  name_this_thread("system-tls/" + std::to_string(thread.number_));
  // Ends when the last handle is closed: see stop().
  uv_run(&thread.loop_, UV_RUN_DEFAULT);
  // What OpenSSL keeps for each thread; its own exit handler is not there (OPENSSL_INIT_NO_ATEXIT).
  OPENSSL_thread_stop();
}

void IoThread::stop() {
  const auto close = [this] {
    if (reactor_) reactor_->close();
    if (mailbox_) mailbox_->close();
  };
  if (running_) {
    // Not post(): nothing is counted that happens at the end.
    mailbox_->post(close);
    uv_thread_join(&thread_);
    running_ = false;
  } else if (loop_open_) {
    close();
    uv_run(&loop_, UV_RUN_DEFAULT);
  }
  if (!loop_open_) return;
  loop_open_ = false;
  uv_loop_close(&loop_);
}

void IoThread::deliver(std::unique_ptr<EventBatch> batch) {
  answer([self = shared_from_this(), batch = std::move(batch)]() mutable {
    if (const std::shared_ptr<Owner> receiver = self->owner_.lock()) receiver->dispatch(*batch);
    self->give_back(std::move(batch));
  });
}

void IoThread::give_back(std::unique_ptr<EventBatch> batch) {
  {
    const std::lock_guard<std::mutex> lock(returned_mutex_);
    if (!std::exchange(starving_, false)) {
      returned_.push_back(std::move(batch));
      return;
    }
  }
  mailbox_->post([this, batch = std::move(batch)]() mutable {
    const Turn turn(*reactor_);
    reactor_->recycle(std::move(batch));
  });
}

std::unique_ptr<EventBatch> IoThread::returned() {
  const std::lock_guard<std::mutex> lock(returned_mutex_);
  starving_ = returned_.empty();
  if (starving_) return nullptr;
  std::unique_ptr<EventBatch> batch = std::move(returned_.back());
  returned_.pop_back();
  return batch;
}

}  // namespace system_tls::io
