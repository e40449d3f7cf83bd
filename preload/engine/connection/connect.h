// connect(2) of an internet stream socket: which connections are intercepted, and how.
#pragma once

#include <sys/socket.h>

namespace cassette {

/// As connect(2), or kPassThrough for what is left alone.
int connect_socket(int fd, const sockaddr* address, socklen_t length);

/// For a thread that bypasses the library: connects to what the address stands for, or kPassThrough.
int connect_bypassed(int fd, const sockaddr* address, socklen_t length);

/// UDP to the ports of HTTP/3 and DNS: true where the mode lets nothing out.
bool refuses_datagrams(const sockaddr* address, socklen_t length);

}  // namespace cassette
