// How many bytes a socket takes whose server does not read, until a send would block: a line for each pair of buffers.
// Whether poll(2) says the same is in the line too.
#include "both_ends.h"

enum { kBlock = 8192 };

/// Sends until nothing has been taken for a while.
static long fill(int fd) {
  static char zeros[kBlock];
  long taken = 0;
  for (int quiet = 0; quiet < 3;) {
    ssize_t sent = send(fd, zeros, sizeof zeros, MSG_DONTWAIT);
    if (sent > 0) {
      taken += sent;
      quiet = 0;
    } else if (errno != EAGAIN) {
      fail("send");
    } else {
      struct pollfd room = {fd, POLLOUT, 0};
      if (poll(&room, 1, 30) == 0) quiet++;
    }
  }
  return taken;
}

/// All that a blocking send gets rid of within a while: its timeout cuts it short.
static long fill_blocking(int fd) {
  static char zeros[1 << 24];
  struct timeval patience = {0, 100000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  long taken = 0;
  ssize_t sent;
  while ((sent = send(fd, zeros, sizeof zeros, 0)) > 0) taken += sent;
  if (errno != EAGAIN) fail("blocking send");
  return taken;
}

static void try(const char* name, int http, int buffer, int after, int blocking) {
  listen_anew(buffer);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (buffer > 0 && !after) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  if (connect(fd, (struct sockaddr*)&place, sizeof place) != 0) fail("connect");
  int server = accept(listener, NULL, NULL);
  if (buffer > 0 && after) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  const char* first = beginning(http);
  if (send(fd, first, strlen(first), 0) < 0) fail("first send");
  milliseconds(20);
  long taken = blocking ? fill_blocking(fd) : fill(fd);
  int answer = 0;
  socklen_t length = sizeof answer;
  getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &answer, &length);
  // All that was taken arrives.
  static char bytes[1 << 20];
  shutdown(fd, SHUT_WR);
  long arrived = -(long)strlen(first);
  ssize_t got;
  while ((got = recv(server, bytes, sizeof bytes, 0)) > 0) arrived += got;
  printf("%s/%s/%d/%s %ld %s SO_SNDBUF=%d\n", name, http ? "http" : "relayed", buffer, after ? "after" : "before", taken,
         arrived == taken ? "arrived" : "LOST", buffer > 0 ? answer : 0);
  close(server);
  close(fd);
}

int main(void) {
  alarm(60);
  setvbuf(stdout, NULL, _IOLBF, 0);
  static const int buffers[] = {1, 4096, 16384, 65536, 262144, 0};
  for (unsigned i = 0; i < sizeof buffers / sizeof *buffers; i++) {
    for (int http = 0; http < 2; http++) {
      try("nonblocking", http, buffers[i], 0, 0);
      if (buffers[i] == 4096 || buffers[i] == 65536) try("nonblocking", http, buffers[i], 1, 0);
      if (buffers[i] == 4096 || buffers[i] == 0) try("blocking", http, buffers[i], 0, 1);
    }
  }
  return 0;
}
