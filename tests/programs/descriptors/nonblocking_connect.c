// A non-blocking connect is under way first, and then the socket is writable without an error.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  show("connect", connect_fd(fd));
  struct pollfd writable = {fd, POLLOUT, 0};
  show("poll", poll(&writable, 1, 10000));
  printf("events: %s%s%s\n", writable.revents & POLLOUT ? "OUT " : "",
         writable.revents & POLLERR ? "ERR " : "", writable.revents & POLLHUP ? "HUP " : "");
  int error = -1;
  socklen_t length = sizeof error;
  show("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
  printf("SO_ERROR: %d\n", error);
  char byte;
  show("read before asking", read(fd, &byte, 1));
  ask(fd, "/text?first");
  ask(fd, "/text?second");
  show("read after the answers", read(fd, &byte, 1));
  printf("still non-blocking: %d, close-on-exec: %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0,
         (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  return 0;
}
