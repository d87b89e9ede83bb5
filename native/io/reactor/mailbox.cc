#include "io/reactor/mailbox.h"

namespace system_tls::io {

std::unique_ptr<Mailbox> Mailbox::open(uv_loop_t* loop, const LoopLease& lease) {
  std::unique_ptr<Mailbox> mailbox(new Mailbox());
  const auto init = [loop](uv_async_t* async) {
    return uv_async_init(loop, async, [](uv_async_t* self) { static_cast<Mailbox*>(self->data)->run_tasks(); });
  };
  return mailbox->async_.open(lease, mailbox.get(), init) == 0 ? std::move(mailbox) : nullptr;
}

bool Mailbox::post(std::unique_ptr<Task>&& task) {
  {
    const std::lock_guard<std::mutex> lock(tasks_mutex_);
    if (closed_) return false;
    tasks_.push_back(std::move(task));
    // One wake-up serves all that is there when it comes.
    if (tasks_.size() != 1) return true;
  }
  // Under a lock that run_tasks() does not take: who is woken runs at once, often on this very processor, and would
  // only wait for the lock until the sender gets the processor back.
  const std::lock_guard<std::mutex> lock(wake_mutex_);
  if (async_) uv_async_send(async_.get());
  return true;
}

void Mailbox::run_tasks() {
  std::vector<std::unique_ptr<Task>> tasks;
  {
    const std::lock_guard<std::mutex> lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (const std::unique_ptr<Task>& task : tasks) task->run();
}

void Mailbox::set_ref(bool on) {
  if (async_) async_.set_ref(on);
}

void Mailbox::close() {
  std::vector<std::unique_ptr<Task>> dropped;
  {
    const std::lock_guard<std::mutex> lock(tasks_mutex_);
    closed_ = true;
    dropped.swap(tasks_);
  }
  const std::lock_guard<std::mutex> lock(wake_mutex_);
  async_.reset();
}

}  // namespace system_tls::io
