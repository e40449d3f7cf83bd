// Timeouts and flags that were set before connect hold afterwards.
#include <sys/time.h>
#include <time.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval timeout = {0, 300000}, other = {7, 0}, got = {0};
  socklen_t length = sizeof got;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &other, sizeof other);
  show("connect", connect_fd(fd));
  getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &length);
  printf("SO_RCVTIMEO: %ld s %ld us\n", (long)got.tv_sec, (long)got.tv_usec / 10000 * 10000);
  getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &got, &length);
  printf("SO_SNDTIMEO: %ld s\n", (long)got.tv_sec);
  printf("flags: %#x, close-on-exec %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));

  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  char byte;
  show("read with nothing to come", read(fd, &byte, 1));
  clock_gettime(CLOCK_MONOTONIC, &after);
  long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  printf("it took as long as asked: %d\n", ms >= 250 && ms < 2000);
  ask(fd, "/text");

  // Changed on the connection, they hold, too.
  timeout.tv_usec = 100000;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  show("read with nothing to come", read(fd, &byte, 1));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  show("read without blocking", read(fd, &byte, 1));
  ask(fd, "/text?2");
  printf("flags: %#x\n", fcntl(fd, F_GETFL));
  return 0;
}
