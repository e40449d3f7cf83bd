// What the programs of sockets.test share: a client, which the library stands in front of, and its server, which it does
// not, in one process, so that what one of them does comes before what the other one does next. None may hang.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in place;
static int listener;

__attribute__((unused)) static void fail(const char* what) {
  perror(what);
  exit(1);
}

/// A listener of its own for each conversation: all of them have the same server otherwise, which has spoken HTTP before.
__attribute__((unused)) static void listen_anew(int receive_buffer) {
  socklen_t length = sizeof place;
  if (listener > 0) close(listener);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (receive_buffer > 0)
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  place = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&place, sizeof place) != 0 || listen(listener, 8) != 0 ||
      getsockname(listener, (struct sockaddr*)&place, &length) != 0)
    fail("listen");
}

__attribute__((unused)) static void milliseconds(int n) {
  struct timespec time = {n / 1000, n % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

__attribute__((unused)) static void block(int fd, int blocks) {
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/// What begins a conversation: a request with a body that is still to come, or what is no HTTP.
__attribute__((unused)) static const char* beginning(int http) {
  return http ? "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
              : "\001\002\003\004";
}
