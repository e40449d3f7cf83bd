// getsockopt(2) and setsockopt(2) on a connection: answered as of TCP, by whoever knows.
//
// Thread safety: needs the connection's mutex.
#pragma once

#include <sys/socket.h>

#include "preload/engine/connection/connection.h"

namespace cassette {

/// As the system call on the program's end, `fd`; kPassThrough: that is to answer itself.
int get_option(Connection& connection, int fd, int level, int name, void* value, socklen_t* length);
int set_option(Connection& connection, int fd, int level, int name, const void* value,
               socklen_t length);

}  // namespace cassette
