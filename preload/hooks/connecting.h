// What the real connect(2) does to the number of its socket. Another preloaded library may stand there that leads the connection
// elsewhere and puts a socket of its own at the number (proxychains): that one is the program's then. What other threads put
// there is not.
#pragma once

#include <sys/types.h>

namespace cassette {

/// Of the calling thread. By value: a jump out of the call leaves it behind, and the next one begins anew.
struct Connecting {
  int fd;  ///< -1: in no connect(2)
  bool replaced;
  dev_t device;  ///< of what was put there
  ino_t inode;
};
extern thread_local Connecting connecting;

/// The calling thread has put another file at `fd`.
void note_replaced(int fd);

}  // namespace cassette
