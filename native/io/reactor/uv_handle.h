// A libuv handle that its owner can drop at any time: closing is asynchronous, so the memory lives on until libuv says
// it is done.
#pragma once

#include <uv.h>

#include <memory>
#include <utility>

namespace system_tls::io {

// Held by everything that is open on a loop; whoever made it learns from its destruction that nothing is any more.
using LoopLease = std::shared_ptr<void>;

template <typename Handle>
class UvHandle {
 public:
  UvHandle() = default;
  ~UvHandle() { reset(); }
  UvHandle(UvHandle&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
  UvHandle& operator=(UvHandle&& other) noexcept {
    std::swap(box_, other.box_);
    return *this;
  }

  // init(Handle*) returns libuv's result; on failure nothing is held.
  template <typename Init>
  int open(const LoopLease& lease, void* owner, Init init) {
    reset();
    auto box = std::make_unique<Box>();
    const int result = init(&box->handle);
    if (result != 0) return result;
    box->lease = lease;
    box->handle.data = owner;
    box_ = box.release();
    return 0;
  }

  // No callback of the handle comes after this; the owner may be gone when libuv has finished.
  void reset() noexcept {
    Box* box = std::exchange(box_, nullptr);
    if (box == nullptr) return;
    box->handle.data = box;
    uv_close(reinterpret_cast<uv_handle_t*>(&box->handle),
             [](uv_handle_t* handle) { std::unique_ptr<Box> closed(static_cast<Box*>(handle->data)); });
  }

  Handle* get() const { return box_ == nullptr ? nullptr : &box_->handle; }
  explicit operator bool() const { return box_ != nullptr; }

  void set_ref(bool on) const {
    auto* handle = reinterpret_cast<uv_handle_t*>(&box_->handle);
    on ? uv_ref(handle) : uv_unref(handle);
  }

 private:
  struct Box {
    Handle handle{};
    LoopLease lease;
  };
  Box* box_ = nullptr;
};

}  // namespace system_tls::io
