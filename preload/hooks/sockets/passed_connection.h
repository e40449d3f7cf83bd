// Connections that another process's library serves: inherited, or passed on. To this process they are one end of a pair, which
// is to look like the TCP connection that it stands for. Asked only where the answer of the kernel is one that no TCP socket gives,
// so that other descriptors pay nothing. Must need libc alone.
//
// What is set in such a process is checked as TCP does, and not kept: the options are those of whoever made the connection.
#pragma once

#include <sys/socket.h>

#include "preload/pair_name.h"

namespace cassette {

/// Of what `fd` stands for. False: it is no such connection. Keeps errno.
bool passed_connection(int fd, PairName* name);

/// getpeername(2) or getsockname(2) had that `result`, with AF_UNIX in it: what TCP would have told instead, or the result.
int tell_passed_name(int fd, bool peer, int result, sockaddr* address, socklen_t room,
                     socklen_t* length);

/// getsockopt(2) and setsockopt(2) had that `result`: the same.
int get_passed_option(int fd, int level, int name, int result, void* value, socklen_t room,
                      socklen_t* length);
int set_passed_option(int fd, int level, int name, int result, const void* value, socklen_t length);

/// ioctl(2) failed with ENOTTY: the same, for what is asked of the network.
int ask_passed_network(int fd, unsigned long request, int result, void* argument);

}  // namespace cassette
