// Connections that another process's library serves: inherited, or passed on. To this process they are one end of a pair, which
// is to look like the TCP connection that it stands for. Asked only where the answer of the kernel is one that no TCP socket gives,
// so that other descriptors pay nothing. Must need libc alone.
//
// What is set in such a process is checked as TCP does, and told again here; whoever made the connection does not hear of it. What
// was set elsewhere is as TCP has it by default. Thread-safe.
#pragma once

#include <sys/socket.h>

#include "preload/pair_name.h"

namespace cassette {

/// Of what `fd` stands for. False: it is no such connection. Keeps errno.
bool passed_connection(int fd, PairName* name);

/// getpeername(2) or getsockname(2) had that `result`, with AF_UNIX in it: what TCP would have told instead, or the result.
int tell_passed_name(int fd, bool peer, int result, sockaddr* address, socklen_t room,
                     socklen_t* length);

/// getsockopt(2) and setsockopt(2) of such a connection; of anything else as the kernel has it.
int get_passed_option(int fd, int level, int name, void* value, socklen_t* length);
int set_passed_option(int fd, int level, int name, const void* value, socklen_t length);

/// connect(2), sendto(2) or sendmsg(2) failed: true where it did because this is a pair, and TCP would have taken no notice of the
/// address, or said EISCONN.
bool failed_as_unix(int fd);

/// ioctl(2) failed with ENOTTY: the same, for what is asked of the network.
int ask_passed_network(int fd, unsigned long request, int result, void* argument);

}  // namespace cassette
