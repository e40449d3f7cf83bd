// Whatever is closed a second time is not there any more; closing everything above 2 twice, in every
// way there is, leaves a program that can connect.
#include <linux/close_range.h>
#include "http.h"

static int close_low(void) {
  int closed = 0;
  // Up to here a program has descriptors of its own alone.
  for (int fd = 3; fd < 64; fd++) closed += close(fd) == 0;
  return closed;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  close_low();
  int fd = connected();
  ask(fd, "/text?1");
  show("close", close(fd));
  show("close again", close(fd));
  show("shutdown", shutdown(fd, SHUT_RDWR));
  show("send", send(fd, "x", 1, 0));
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  show("getpeername", getpeername(fd, (struct sockaddr*)&address, &length));
  int value;
  length = sizeof value;
  show("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length));
  show("dup", dup(fd));
  show("F_GETFD", fcntl(fd, F_GETFD));

  for (int i = 0; i < 3; i++) ask(connected(), "/text?kept");
  printf("closed by close: %d", close_low());
  printf(", again: %d\n", close_low());
  ask(connected(), "/text?2");
  for (int i = 0; i < 2; i++) show("close_range", close_range(3, ~0U, 0));
  printf("left: %d\n", close_low());
  ask(connected(), "/text?3");
  for (int i = 0; i < 2; i++) closefrom(3);
  printf("left: %d\n", close_low());
  fd = connected();
  printf("number: %d\n", fd);
  ask(fd, "/text?4");

  // A range in the middle, one that ends before it begins, and flags that there are not.
  int second = connected(), third = connected();
  show("close_range of one", close_range((unsigned)second, (unsigned)second, 0));
  show("the closed one", fcntl(second, F_GETFD));
  show("close_range backwards", close_range(9, 3, 0));
  show("close_range with a wrong flag", close_range(3, ~0U, 0x4000));
  ask(fd, "/text?5");
  ask(third, "/text?6");
  show("close-on-exec", close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
  printf("flags: %d %d\n", fcntl(fd, F_GETFD), fcntl(third, F_GETFD));
  ask(fd, "/text?7");
  show("close_range of the rest", close_range((unsigned)third, ~0U, 0));
  show("the closed one", fcntl(third, F_GETFD));
  ask(fd, "/text?8");
  ask(connected(), "/text?9");
  return 0;
}
