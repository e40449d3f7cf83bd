// The engine's half of cassette.h: asks the deck, tells errors on stderr, sets errno.
#pragma once

#include "preload/engine_api.h"

namespace cassette {

extern const ProgramApi kProgramApi;

}  // namespace cassette
