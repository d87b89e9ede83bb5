// Is anything going on, on any thread, that a process should stay for?
#pragma once

#include <atomic>

namespace system_tls::io {

// Any thread. `changed` is called by whichever thread brings the count from or to zero, and must only send word.
class Activity {
 public:
  virtual ~Activity() = default;

  void enter() {
    if (count_.fetch_add(1, std::memory_order_acq_rel) == 0) changed();
  }
  void leave() {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) changed();
  }
  bool any() const { return count_.load(std::memory_order_acquire) != 0; }

 protected:
  virtual void changed() = 0;

 private:
  std::atomic<int> count_{0};
};

// What one of those who are counted has said: changes alone are told.
class ActivityMark {
 public:
  // `activity`: null: nobody counts here.
  void set(Activity* activity, bool on) {
    if (on == on_ || activity == nullptr) return;
    on_ = on;
    if (on) {
      activity->enter();
    } else {
      activity->leave();
    }
  }

 private:
  bool on_ = false;
};

}  // namespace system_tls::io
