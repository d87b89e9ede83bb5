// A queue that allocates nothing while it is empty (std::deque costs 576 bytes for each idle connection).
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace system_tls::engine {

template <typename T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  T& front() { return items_[head_]; }
  T& back() { return items_.back(); }
  void push(T item) { items_.push_back(std::move(item)); }

  T pop() {
    T item = std::move(items_[head_]);
    ++head_;
    compact();
    return item;
  }

  template <typename Matches>
  T* find(Matches matches) {
    for (std::size_t i = head_; i < items_.size(); ++i) {
      if (matches(items_[i])) return &items_[i];
    }
    return nullptr;
  }

  void erase(const T* item) {
    items_.erase(items_.begin() + (item - items_.data()));
    compact();
  }

 private:
  static constexpr std::size_t kWorthMoving = 64;

  void compact() {
    if (empty()) {
      head_ = 0;
      items_.clear();
      if (items_.capacity() > kWorthMoving) items_ = std::vector<T>();
    } else if (head_ > kWorthMoving && head_ > items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }

  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace system_tls::engine
