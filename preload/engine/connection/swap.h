// The swap: the program's TCP socket becomes one end of a socketpair, under the same number, with the
// same flags and timeouts, registered where it was registered. See PRELOAD lessons in
// docs/architecture.md for what goes wrong otherwise.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "preload/engine/connection/connection.h"

namespace cassette {

/// Which socket a number stands for: threads close numbers and open others while one of them is in connect(). No other
/// socket has the same while that one lives.
struct SocketIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  bool read(int fd);
  bool operator==(const SocketIdentity&) const = default;
};

/// What swap_socket() returns when the number stands for another file, or for none. No errno.
inline constexpr int kOtherSocket = -1;

/// Swaps, if `fd` is that socket still. `unwritable`: the program's end must not look connected yet, so it gets a ballast
/// that fills its buffer; finish_connect() of the connection drops it. Returns 0, and the number is held for
/// HostApi::free_number(); else kOtherSocket or an errno, with nothing changed.
int swap_socket(int fd, const SocketIdentity& socket, bool unwritable,
                Connection::Sockets* sockets);

/// The engine's end and the original are the engine's alone. It reads urgent bytes in their place (urgent.h).
void read_in_line(int fd);
/// The original: the same, and what the program set on it for its own reading is not for the engine's.
void serve_engine(int fd);

/// Puts the pair that has taken the place of that socket at `fd` under its other numbers too, which were copied before connect(2).
/// Their owner is that of `fd` then.
void swap_copies(int fd, const SocketIdentity& socket, std::uintptr_t owner);

/// Gives the number back to the original socket, which is connected to nothing any more, or to a new one; it has flags and
/// registration of the program's end. False with errno. The number has no owner then.
bool unswap_socket(int fd, int original, int family);

}  // namespace cassette
