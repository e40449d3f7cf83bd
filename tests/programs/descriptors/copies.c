// A connection may be used through any copy of its descriptor, whichever of them are closed.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  int copy = dup(fd);
  ask(copy, "/text?dup");
  ask(fd, "/text?original");
  close(fd);
  ask(copy, "/text?dup-alone");
  show("dup2", dup2(copy, 100));
  close(copy);
  ask(100, "/text?dup2");
  show("dup3", dup3(100, 101, O_CLOEXEC));
  ask(101, "/text?dup3");
  int high = fcntl(100, F_DUPFD, 200);
  show("F_DUPFD", high);
  int higher = fcntl(100, F_DUPFD_CLOEXEC, 210);
  show("F_DUPFD_CLOEXEC", higher);
  printf("close-on-exec: %d %d %d %d\n", fcntl(100, F_GETFD), fcntl(101, F_GETFD),
         fcntl(high, F_GETFD), fcntl(higher, F_GETFD));
  close(100);
  close(101);
  close(high);
  ask(higher, "/text?last");

  // A copy over another connection ends that one and takes its number.
  int other = connected();
  ask(other, "/text?other");
  show("dup2 over a connection", dup2(higher, other) == other);
  close(higher);
  ask(other, "/text?taken");
  show("dup2 onto itself", dup2(other, other) == other);
  ask(other, "/text?itself");

  // Half a request by one copy, the rest by another.
  copy = dup(other);
  put(other, "GET /text?halves HTTP/1.1\r\nHo");
  put(copy, "st: a\r\n\r\n");
  receive(other);
  return 0;
}
