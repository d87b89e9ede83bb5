#pragma once

#include <memory>

#include "binding/core/options_reader.h"
#include "binding/questions.h"
#include "engine/callbacks/psk.h"

namespace system_tls::binding {

napi_value psk_to_js(napi_env env, const engine::Subject& subject);
bool read_psk_answer(const Call& call, std::size_t index, engine::Answer& answer);

// The property psks; null stays null if it is absent.
void read_preshared_keys(OptionsReader& reader, std::shared_ptr<const engine::PresharedKeys>& keys);

}  // namespace system_tls::binding
