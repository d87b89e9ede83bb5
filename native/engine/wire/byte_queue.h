// A queue of bytes in chunks that come from, and go back to, a pool shared by the connections of one reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace system_tls::engine {

// Four full TLS records with their overhead (RFC 8446 5.2) fit: 64 KiB of clear text is one chunk, one buffer for the
// system.
inline constexpr std::size_t kChunkSize = 66 * 1024;

// `bytes` is written before it is read. NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
struct Chunk {
  std::unique_ptr<Chunk> next;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint8_t bytes[kChunkSize];

  std::span<const std::uint8_t> filled() const { return {bytes + begin, end - begin}; }
  std::span<std::uint8_t> room() { return {bytes + end, kChunkSize - end}; }
};

// Keeps freed chunks warm: fresh pages cost more than the cryptography of what they would hold. One thread.
class ChunkPool {
 public:
  ChunkPool() = default;
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  std::unique_ptr<Chunk> take();
  void give(std::unique_ptr<Chunk> chunk);

 private:
  static constexpr std::size_t kKept = 16;
  std::unique_ptr<Chunk> free_;
  std::size_t kept_ = 0;
};

// Holds no chunk while it is empty, so that an idle connection costs nothing here.
class ByteQueue {
 public:
  explicit ByteQueue(ChunkPool& pool) : pool_(&pool) {}
  ~ByteQueue() { clear(); }
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;

  // Its chunks go to another pool from now on: it has moved to another thread.
  void use_pool(ChunkPool& pool) { pool_ = &pool; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void append(std::span<const std::uint8_t> bytes);
  // Room behind the last byte, never empty; what was put there is added by commit().
  std::span<std::uint8_t> room();
  void commit(std::size_t count);

  // The first contiguous bytes; empty only if the queue is.
  std::span<const std::uint8_t> front() const;
  void consume(std::size_t count);
  // Copies out and consumes up to to.size() bytes.
  std::size_t take(std::span<std::uint8_t> to);
  void clear();

  // Calls visit(span) for each contiguous piece, first to last, until it returns false.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Chunk* chunk = first_.get(); chunk != nullptr; chunk = chunk->next.get()) {
      if (chunk->begin != chunk->end && !visit(chunk->filled())) return;
    }
  }

 private:
  Chunk& writable();
  void drop_first();

  ChunkPool* pool_;
  std::unique_ptr<Chunk> first_;
  Chunk* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace system_tls::engine
