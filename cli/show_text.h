// An interaction as text for reading: what `cassette show` prints. A pure function.
#pragma once

#include <cstddef>
#include <string>

#include "store/interaction.h"

namespace cassette {

/// A title line, the request, the response (or the network error), each much as it was on the wire.
/// `terminal`: nothing in it steers the terminal, and JSON is indented. Otherwise text bodies are the
/// recorded bytes, decoded.
std::string interaction_text(const Interaction& interaction, std::size_t index, bool terminal);

}  // namespace cassette
