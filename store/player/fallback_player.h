// Several cassettes as one: the first is played, and recorded into by the rules of its mode; what it cannot play is looked
// for in the others, which are only played. Knows nothing of files: deck.h opens them.
//
// Numbers of interactions, outside: those of the first cassette, then those of the second, and so on.
//
// Thread safety: as Player.
#pragma once

#include <memory>
#include <vector>

#include "store/player/player.h"

namespace cassette {

/// `players`: at least one; all but the first in mode `none`. None of them is broken.
std::shared_ptr<Player> play_with_fallbacks(std::vector<std::shared_ptr<Player>> players);

}  // namespace cassette
