// A thread with a loop and a reactor of its own.
//
// The thread that opens it, its owner, is the only one that stops it. Whatever lives on the reactor is touched on this
// thread alone: the owner sends tasks, which run in the order in which they were sent, each in a turn; batches of
// events go back through the owner's mailbox, in order too, and return when their events have been handled. This thread
// never waits for the owner, so the owner may wait for this thread.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "io/reactor/activity.h"
#include "io/reactor/mailbox.h"
#include "io/reactor/reactor.h"

namespace system_tls::io {

class IoThread : public Reactor::Receiver, public std::enable_shared_from_this<IoThread> {
 public:
  // Where the owner hears of it.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The owner's thread. The events are to be handled before this returns.
    virtual void dispatch(EventBatch& batch) = 0;
    // Any thread.
    virtual Mailbox& mailbox() = 0;
    virtual const std::shared_ptr<Activity>& activity() const = 0;
    // What listeners on this thread accept is taken by the owner.
    virtual const std::shared_ptr<OfferedSockets>& offered() const = 0;
  };

  // Null: `failure` says why. `slabs` stay valid until stop() has returned.
  // `number`: of its pool, for the name that debuggers and profilers show.
  static std::shared_ptr<IoThread> open(const std::weak_ptr<Owner>& owner, std::span<const Slab> slabs,
                                        std::size_t number, openssl::FailurePtr& failure);
  // The owner's thread.
  ~IoThread() override { stop(); }

  const std::shared_ptr<Reactor>& reactor() const { return reactor_; }
  std::size_t number() const { return number_; }
  const std::vector<Slab>& slabs() const { return slabs_; }
  // Connections that were put here and are not over: what balance goes by. The owner's thread.
  int load() const { return load_; }
  void add_load(int difference) { load_ += difference; }
  // The same for whatever else will use this thread, such as listeners before they listen.
  int users() const { return users_; }
  void add_user(int difference) { users_ += difference; }
  // Processor time since it began, in nanoseconds; 0 where the system does not tell. The owner's thread.
  std::uint64_t processor_time() const;

  // The owner's thread, as all below. Runs `function` on this one, in a turn. False: stopped.
  template <typename Function>
  bool post(Function function) {
    activity_->enter();
    const bool sent = mailbox_->post([this, function = std::move(function)]() mutable {
      {
        const Turn turn(*reactor_);
        function();
      }
      activity_->leave();
    });
    if (!sent) activity_->leave();
    return sent;
  }

  // The same, and waits until it has run.
  template <typename Function>
  bool run(Function function) {
    Signal done;
    const bool sent = post([&] {
      function();
      done.give();
    });
    if (sent) done.wait();
    return sent;
  }

  // Everything that lives here fails with `why`; `told` runs on the owner's thread behind the last event of that.
  template <typename Function>
  void evict(openssl::FailurePtr why, Function told) {
    post([this, why = std::move(why), told = std::move(told)]() mutable {
      reactor_->evict(why);
      reactor_->deliver();
      answer(std::move(told));
    });
  }
  // told(vacant) runs on the owner's thread, behind the last event of what has lived here.
  template <typename Function>
  void ask_vacant(Function told) {
    post([this, told = std::move(told)]() mutable {
      reactor_->deliver();
      answer([told = std::move(told), vacant = reactor_->vacant()]() mutable { told(vacant); });
    });
  }
  // From this thread: `function` runs on the owner's. Until it has run the owner's loop has something to wait for: what
  // caused it may be the last thing that keeps the process running.
  template <typename Function>
  void answer(Function function) {
    const std::shared_ptr<Owner> owner = owner_.lock();
    if (!owner) return;
    activity_->enter();
    const bool sent = owner->mailbox().post([activity = activity_, function = std::move(function)]() mutable {
      function();
      activity->leave();
    });
    if (!sent) activity_->leave();
  }
  // Closes what lives here, and waits for the thread to end.
  void stop();

  // Reactor::Receiver; on this thread.
  void deliver(std::unique_ptr<EventBatch> batch) override;
  std::unique_ptr<EventBatch> returned() override;
  bool gathers() const override { return true; }

 private:
  // Of libuv's: std::condition_variable::wait() is of GCC 12's library, and older systems have to load this.
  class Signal {
   public:
    Signal() { uv_sem_init(&semaphore_, 0); }
    ~Signal() { uv_sem_destroy(&semaphore_); }
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;
    void give() { uv_sem_post(&semaphore_); }
    void wait() { uv_sem_wait(&semaphore_); }

   private:
    uv_sem_t semaphore_{};
  };

  IoThread(std::weak_ptr<Owner> owner, std::shared_ptr<Activity> activity, std::span<const Slab> slabs,
           std::size_t number)
      : owner_(std::move(owner)), activity_(std::move(activity)), number_(number), slabs_(slabs.begin(), slabs.end()) {}
  openssl::FailurePtr start(const Owner& owner);
  static void run_loop(void* self);
  // The owner's thread: the batch may be used again.
  void give_back(std::unique_ptr<EventBatch> batch);

  const std::weak_ptr<Owner> owner_;
  const std::shared_ptr<Activity> activity_;
  const std::size_t number_;
  const std::vector<Slab> slabs_;
  uv_loop_t loop_{};
  bool loop_open_ = false;
  bool running_ = false;
  uv_thread_t thread_{};
  std::unique_ptr<Mailbox> mailbox_;
  std::shared_ptr<Reactor> reactor_;
  int load_ = 0;
  int users_ = 0;

  std::mutex returned_mutex_;  // guards the two below
  std::vector<std::unique_ptr<EventBatch>> returned_;
  // The thread has no memory left and has to be woken with some; otherwise it looks for itself.
  bool starving_ = false;
};

}  // namespace system_tls::io
