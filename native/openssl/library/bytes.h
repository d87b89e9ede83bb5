// Byte strings that the layers hand to each other.
#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace system_tls::openssl {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// The number in the first two bytes, the higher one first. There must be two.
inline std::size_t two_bytes(ByteView bytes) { return std::size_t{bytes[0]} << 8 | bytes[1]; }

// Overwrites what it gives back, so that keys and passphrases do not stay behind in freed memory.
template <typename T>
struct CleansingAllocator {
  using value_type = T;

  CleansingAllocator() = default;
  template <typename Other>
  CleansingAllocator(const CleansingAllocator<Other>&) noexcept {}

  T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* memory, std::size_t count) noexcept {
    OPENSSL_cleanse(memory, count * sizeof(T));
    std::allocator<T>().deallocate(memory, count);
  }

  friend bool operator==(const CleansingAllocator&, const CleansingAllocator&) noexcept { return true; }
};

using SecretBytes = std::vector<std::uint8_t, CleansingAllocator<std::uint8_t>>;

}  // namespace system_tls::openssl
