// Where messages of the library go: to the standard error that the process began with, as long as descriptor 2 is that. A
// program may have a file, or a connection of its own, at that number by then; and nobody may be reading what it is.
//
// Nothing here waits, and none of the signals that a write may raise reaches the program (SIGPIPE, SIGTTOU, SIGXFSZ). It is done
// by system calls alone (kernel.h): the thin library links it, and a message may come from a signal handler, between fork
// and exec, or behind the end of other libraries. Any thread. No errno is changed, no descriptor kept.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace cassette {

/// Which file descriptor 2 is.
struct StandardError {
  dev_t device = 0;
  ino_t inode = 0;
  bool is_usable =
      false;  ///< it is one, and no socket of the network: whoever has that for 2 serves a peer

  /// One system call, two for a socket.
  static StandardError now();
  bool operator==(const StandardError&) const = default;
};

/// From now on messages go to `start` alone. Before, and in a process that never says so (the command): to whatever 2 is.
void use_standard_error(const StandardError& start);

/// A file for what cannot be said there, or nullptr; kept, not copied. With `make` it is made, and may grow; else lines are added as
/// long as it exists and is not large.
void keep_unsaid_in(const char* file, bool make);

/// A message, as a whole line ('\n' included). What goes nowhere is counted, and the number is told when there is a place again;
/// false then.
bool say(const char* line, std::size_t size);

/// The same in a process that is about to become another program: 2 is that one's.
bool say_of_next_program(const char* line, std::size_t size);

/// What the file takes at once. How many of the bytes, or -errno (-EAGAIN: a pipe or terminal that nobody empties) when
/// that is none. Pieces of up to 4096 bytes are not cut by a pipe (pipe(7)).
long write_at_once(int fd, const char* bytes, std::size_t size);

}  // namespace cassette
