#include "binding/core/pinned.h"

#include "binding/core/values.h"

namespace system_tls::binding {

std::unique_ptr<PinnedView> PinnedView::of(napi_env env, napi_value view) {
  napi_ref reference = nullptr;
  if (napi_create_reference(env, view, 1, &reference) != napi_ok) return nullptr;
  return std::unique_ptr<PinnedView>(new PinnedView(env, reference));
}

std::span<std::uint8_t> PinnedView::room() {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return {};
  View view;
  napi_value value = nullptr;
  const bool there = napi_get_reference_value(env_, reference_, &value) == napi_ok && from_js(env_, value, view);
  napi_close_handle_scope(env_, scope);
  return there ? view : View();
}

}  // namespace system_tls::binding
