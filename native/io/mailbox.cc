#include "io/mailbox.h"

namespace system_tls::io {

std::unique_ptr<Mailbox> Mailbox::open(uv_loop_t* loop, const LoopLease& lease) {
  std::unique_ptr<Mailbox> mailbox(new Mailbox());
  const auto init = [loop](uv_async_t* async) {
    return uv_async_init(loop, async, [](uv_async_t* self) { static_cast<Mailbox*>(self->data)->run_tasks(); });
  };
  return mailbox->async_.open(lease, mailbox.get(), init) == 0 ? std::move(mailbox) : nullptr;
}

bool Mailbox::post(std::unique_ptr<Task>&& task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!async_) return false;
  tasks_.push_back(std::move(task));
  // Under the lock, so that the handle is not closed meanwhile. One wake-up serves all that is there when it comes.
  if (tasks_.size() == 1) uv_async_send(async_.get());
  return true;
}

void Mailbox::run_tasks() {
  std::vector<std::unique_ptr<Task>> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const std::unique_ptr<Task>& task : tasks) task->run();
}

void Mailbox::set_ref(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (async_) async_.set_ref(on);
}

void Mailbox::close() {
  std::vector<std::unique_ptr<Task>> dropped;
  const std::lock_guard<std::mutex> lock(mutex_);
  async_.reset();
  dropped.swap(tasks_);
}

}  // namespace system_tls::io
