// The functions that the hooks call (engine_api.h), in libc's terms: descriptors and errno in and out.
#pragma once

#include "preload/engine_api.h"

namespace cassette {

/// What the descriptor table says of the engine's own descriptors (DescriptorTable::kPrivate).
inline constexpr std::uintptr_t kPrivateOwner = 1;

const EngineApi& interpose_api();

}  // namespace cassette
