// The swap: the program's TCP socket becomes one end of a socketpair, under the same number, with the
// same flags and timeouts, registered where it was registered. See PRELOAD lessons in
// docs/architecture.md for what goes wrong otherwise.
#pragma once

#include "preload/engine/connection/connection.h"

namespace cassette {

/// Swaps. `unwritable`: the program's end must not look connected yet, so it gets a ballast that fills
/// its buffer; finish_connect() of the connection drops it. Returns 0, or the errno with
/// nothing changed. Needs no lock: the program is in connect() with that descriptor.
int swap_socket(int fd, bool unwritable, Connection::Sockets* sockets);

}  // namespace cassette
