// A connect that is refused says so, blocking or not, and the socket can be used for another
// attempt's error.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  // A port at which nobody listens: bound, but not listening, as long as this runs.
  int holder = tcp();
  struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof nobody;
  bind(holder, (struct sockaddr*)&nobody, sizeof nobody);
  getsockname(holder, (struct sockaddr*)&nobody, &length);

  int fd = tcp();
  show("connect", connect(fd, (struct sockaddr*)&nobody, sizeof nobody));
  close(fd);

  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  show("connect", connect(fd, (struct sockaddr*)&nobody, sizeof nobody));
  struct pollfd writable = {fd, POLLOUT, 0};
  show("poll", poll(&writable, 1, 10000));
  printf("events: %s%s%s\n", writable.revents & POLLOUT ? "OUT " : "",
         writable.revents & POLLERR ? "ERR " : "", writable.revents & POLLHUP ? "HUP " : "");
  int error = -1;
  length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  printf("SO_ERROR: %s\n", error > 0 ? strerrorname_np(error) : "none");
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  printf("SO_ERROR again: %d\n", error);
  return 0;
}
