// JavaScript's memory as the engine uses it: a reference keeps the view alive, and its address is asked for at each
// turn, because JavaScript can detach, transfer or shrink the ArrayBuffer under it.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/clear_memory.h"

namespace system_tls::binding {

class PinnedView : public engine::WholeSource, public engine::ClearTarget {
 public:
  // Null: Node-API refused.
  static std::unique_ptr<PinnedView> of(napi_env env, napi_value view);
  ~PinnedView() override { napi_delete_reference(env_, reference_); }
  PinnedView(const PinnedView&) = delete;
  PinnedView& operator=(const PinnedView&) = delete;

  // ClearTarget; a ClearSource reads the same.
  std::span<std::uint8_t> room() override;
  std::span<const std::uint8_t> bytes() override { return room(); }

 private:
  PinnedView(napi_env env, napi_ref reference) : env_(env), reference_(reference) {}

  napi_env env_;
  napi_ref reference_;
};

// Bytes that were gathered from several views.
class OwnedBytes : public engine::WholeSource {
 public:
  explicit OwnedBytes(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::uint8_t> bytes() override { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace system_tls::binding
