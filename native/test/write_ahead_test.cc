// What is written ahead of a thread, without connections: the memory, the buffer and its two threads.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "io/threads/write_buffer.h"
#include "test/check.h"

namespace system_tls::test {
namespace {

using io::BlockPool;
using io::Pieces;
using io::WriteAhead;
using io::WriteBuffer;

constexpr std::size_t kBlock = BlockPool::kBlock;

struct Ahead {
  std::shared_ptr<BlockPool> pool = std::make_shared<BlockPool>();
  std::shared_ptr<WriteAhead> ahead = std::make_shared<WriteAhead>(pool);

  Ahead() { ahead->set_open(true); }
  bool nothing_left() const { return ahead->unsent() == 0 && pool->under_way() == 0; }
};

std::vector<std::uint8_t> pattern(std::size_t size, std::uint32_t seed = 1) {
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& each : bytes) each = static_cast<std::uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

// As the engine reads it: up to 64 KiB at a time.
void drain(Pieces& pieces, std::vector<std::uint8_t>& into) {
  const std::size_t size = pieces.size();
  for (std::size_t offset = 0; offset < size;) {
    const auto part = pieces.from(offset);
    into.insert(into.end(), part.begin(), part.end());
    offset += part.size();
  }
}

const Register copies("write ahead: a copy gives its memory back as it is read", [] {
  const Ahead there;
  const auto bytes = pattern(10 * kBlock + 7);
  Pieces pieces;
  CHECK(pieces.copy(bytes, there.ahead));
  CHECK(pieces.size() == bytes.size());
  // The last seven are no block.
  CHECK(there.ahead->unsent() == bytes.size());
  CHECK(there.pool->under_way() == bytes.size());
  std::vector<std::uint8_t> read;
  const auto first = pieces.from(0);
  CHECK(first.size() == kBlock);
  CHECK(pieces.from(10).data() == first.data() + 10);
  drain(pieces, read);
  CHECK(read == bytes);
  CHECK(there.ahead->unsent() == 7);
  CHECK(pieces.from(bytes.size()).empty());
  CHECK(pieces.empty() && pieces.size() == 0);
  CHECK(there.nothing_left());
  return true;
});

const Register dropped("write ahead: a copy that nobody reads gives its memory back too", [] {
  const Ahead there;
  {
    Pieces pieces;
    CHECK(pieces.copy(pattern(3 * kBlock), there.ahead));
    CHECK(pieces.copy(pattern(1), there.ahead));
    Pieces moved = std::move(pieces);
    CHECK(there.ahead->unsent() == 3 * kBlock + 1);
  }
  CHECK(there.nothing_left());
  CHECK(there.pool->free() == 3);
  return true;
});

const Register counted("write ahead: what is counted is memory, however few bytes are in it", [] {
  const Ahead there;
  Pieces pieces;
  CHECK(pieces.copy(pattern(5000), there.ahead));
  CHECK(there.ahead->unsent() == kBlock);
  CHECK(pieces.add_to_last(pattern(kBlock - 5000)));
  CHECK(!pieces.add_to_last(pattern(1)));
  CHECK(there.ahead->unsent() == kBlock);
  CHECK(pieces.from(0).size() == kBlock);
  return true;
});

const Register bounded("write ahead: what a burst needed is not kept", [] {
  BlockPool pool;
  std::vector<BlockPool::Block> blocks;
  for (std::size_t index = 0; index < 8 * BlockPool::kKept; ++index) blocks.push_back(pool.take());
  while (!blocks.empty()) {
    pool.give(std::move(blocks.back()));
    blocks.pop_back();
    CHECK(pool.free() <= std::max(BlockPool::kKept, BlockPool::kKeptForEach * blocks.size()));
  }
  CHECK(pool.free() == BlockPool::kKept);
  // Used again, and not more of them.
  for (std::size_t index = 0; index < BlockPool::kKept; ++index) blocks.push_back(pool.take());
  CHECK(pool.free() == 0);
  return true;
});

const Register permitted("write ahead: a mebibyte for one, eight for all, and a little for each", [] {
  const Ahead one;
  CHECK(one.ahead->permits(1 << 20));
  CHECK(!one.ahead->permits((1 << 20) + 1));
  std::vector<std::unique_ptr<Pieces>> others;
  std::vector<std::shared_ptr<WriteAhead>> aheads;
  for (int index = 0; index < 8; ++index) {
    aheads.push_back(std::make_shared<WriteAhead>(one.pool));
    others.push_back(std::make_unique<Pieces>());
    CHECK(others.back()->copy(pattern(1 << 20), aheads.back()));
  }
  CHECK(one.ahead->permits(256 * 1024));
  CHECK(!one.ahead->permits(256 * 1024 + 1));
  others.pop_back();
  CHECK(one.ahead->permits(1 << 20));
  one.ahead->close();
  CHECK(!one.ahead->permits(1));
  return true;
});

const Register joined("write ahead: writes that wait become one, in order", [] {
  using Added = WriteBuffer::Added;
  const Ahead there;
  WriteBuffer buffer(there.ahead);
  std::vector<std::uint8_t> all;
  const auto add = [&](std::size_t size) {
    const auto bytes = pattern(size, static_cast<std::uint32_t>(all.size() + 1));
    all.insert(all.end(), bytes.begin(), bytes.end());
    return buffer.add(bytes);
  };
  CHECK(buffer.empty());
  CHECK(add(100) == Added::first);
  CHECK(there.ahead->unsent() == 100);
  CHECK(add(100) == Added::more);
  CHECK(add(100) == Added::more);
  // Behind a small piece of its own, the others are in one block.
  CHECK(there.ahead->unsent() == 100 + kBlock);
  CHECK(add(3 * kBlock + 1) == Added::more);
  CHECK(add(kBlock) == Added::more);
  CHECK(!buffer.empty());
  Pieces pieces = buffer.take();
  CHECK(buffer.empty());
  CHECK(pieces.size() == all.size());
  std::vector<std::uint8_t> read;
  drain(pieces, read);
  CHECK(read == all);
  CHECK(add(1) == Added::first);
  return true;
});

// The environment adds while the thread takes, by as many messages as there were firsts.
const Register threads("write ahead: two threads", [] {
  const Ahead there;
  WriteBuffer buffer(there.ahead);
  std::atomic<int> messages{0};
  std::atomic<bool> over{false};
  const auto bytes = pattern(4 << 20);
  std::vector<std::uint8_t> got;
  std::thread thread([&] {
    while (true) {
      const bool last = over;
      if (messages == 0) {
        if (last) return;
        std::this_thread::yield();
        continue;
      }
      --messages;
      Pieces pieces = buffer.take();
      drain(pieces, got);
    }
  });
  std::size_t at = 0;
  int told = 0;
  bool failed = false;
  for (std::uint32_t seed = 7; at < bytes.size(); seed = seed * 1664525 + 1013904223) {
    const std::size_t most = seed >> 31 == 0 ? 3000 : 100'000;
    const std::size_t size = std::min(1 + (seed >> 8) % most, bytes.size() - at);
    while (!there.ahead->permits(size)) std::this_thread::yield();
    const WriteBuffer::Added added = buffer.add(std::span(bytes).subspan(at, size));
    failed = failed || added == WriteBuffer::Added::no_memory;
    if (added == WriteBuffer::Added::first) {
      ++messages;
      ++told;
    }
    at += size;
  }
  over = true;
  thread.join();
  CHECK(!failed);
  CHECK(told > 1);
  CHECK(got == bytes);
  CHECK(buffer.empty());
  CHECK(there.nothing_left());
  CHECK(there.pool->free() <= BlockPool::kKept);
  return true;
});

}  // namespace
}  // namespace system_tls::test
