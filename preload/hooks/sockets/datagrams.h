// UDP to the ports of HTTP/3 and DNS, while nothing may go out: refused, so that clients fall back to TCP, and
// no name and no request leaves the machine. All other datagrams pass.
#pragma once

#include <sys/socket.h>

namespace cassette {

/// True, with errno ECONNREFUSED, when datagrams of this socket to that address are refused.
bool refuses_datagrams(int fd, const void* address, socklen_t length);

}  // namespace cassette
