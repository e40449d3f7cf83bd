// An interaction's answer as it is sent: its bytes, in which order and when, and what comes behind them. Made once,
// when a cassette is compiled. Knows no image.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "store/interaction.h"

namespace cassette {

struct Rendering {
  /// For an HTTP/1.1 peer: informational responses, the head, the body.
  std::string bytes;
  std::size_t head_size = 0;  ///< bytes[0, head_size) is all but the body
  /// What goes out when: offsets into `bytes`, ascending, from 0. Empty: all of it at once, at once.
  std::vector<Piece> pieces;
  bool close_after = false;
  bool close_after_head = false;  ///< the same when only the head is sent, in answer to HEAD
  bool answers_before_body =
      false;  ///< it came instead of a 100 (Continue), and nobody waited for the body
  bool answers_early = false;  ///< it began before the request was complete
};

/// `interaction` has a response, no error.
Rendering render(const Interaction& interaction);

}  // namespace cassette
