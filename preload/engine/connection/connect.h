// connect(2) of an internet stream socket: which connections are intercepted, and how. In two steps, between which the hook makes
// the real call (ConnectPlan in engine_api.h).
//
// Must not block: whoever is in here cannot be interrupted.
#pragma once

#include <sys/socket.h>

#include "preload/engine_api.h"

namespace cassette {

/// The functions of engine_api.h. Any thread.
ConnectStep plan_connect(int fd, const sockaddr* address, socklen_t length, ConnectPlan* plan);
int connected(int fd, ConnectPlan* plan, int result, int error);
ConnectStep plan_bypassed(const sockaddr* address, socklen_t length, ConnectPlan* plan);

/// UDP to the ports of HTTP/3 and DNS: true where the mode lets nothing out.
bool refuses_datagrams(const sockaddr* address, socklen_t length);

}  // namespace cassette
