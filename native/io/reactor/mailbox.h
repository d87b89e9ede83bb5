// Calls for the thread of a loop, from any thread, in order.
#pragma once

#include <uv.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "io/reactor/uv_handle.h"

namespace system_tls::io {

// A call that is made once. What it holds is destroyed on the thread that runs it, or, after close(), on that of
// close().
class Task {
 public:
  virtual ~Task() = default;
  virtual void run() = 0;

  template <typename Function>
  static std::unique_ptr<Task> of(Function function);
};

class Mailbox {
 public:
  // On the loop's thread, or before the loop runs. Null: libuv refused.
  static std::unique_ptr<Mailbox> open(uv_loop_t* loop, const LoopLease& lease);
  ~Mailbox() { close(); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. False: closed, and the task will never run; it is the caller's again.
  bool post(std::unique_ptr<Task>&& task);
  template <typename Function>
  bool post(Function function) {
    std::unique_ptr<Task> task = Task::of(std::move(function));
    return post(std::move(task));
  }

  // The loop's thread: does an open mailbox keep the loop running?
  void set_ref(bool on);
  // The loop's thread. Whatever was posted and did not run is dropped.
  void close();

 private:
  Mailbox() = default;
  void run_tasks();

  std::mutex tasks_mutex_;  // guards the two below
  std::vector<std::unique_ptr<Task>> tasks_;
  bool closed_ = false;
  // Guards the handle against being closed while somebody wakes the loop. The loop's thread alone changes it, and reads
  // it without.
  std::mutex wake_mutex_;
  UvHandle<uv_async_t> async_;
};

template <typename Function>
std::unique_ptr<Task> Task::of(Function function) {
  class Call : public Task {
   public:
    explicit Call(Function call) : call_(std::move(call)) {}
    void run() override { call_(); }

   private:
    Function call_;
  };
  return std::make_unique<Call>(std::move(function));
}

}  // namespace system_tls::io
