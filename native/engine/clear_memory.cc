#include "engine/clear_memory.h"

namespace system_tls::engine {

openssl::FailurePtr ClearSource::gone() {
  return openssl::named_failure("ERR_TLS_BUFFER_DETACHED",
                                "The memory given to write() was detached or shrunk before all of it was written");
}

ClearSource::Part WholeSource::part(std::size_t offset, std::size_t length) {
  const std::span<const std::uint8_t> all = bytes();
  if (all.size() < length) return {{}, gone()};
  return {all.first(length).subspan(offset), nullptr};
}

}  // namespace system_tls::engine
