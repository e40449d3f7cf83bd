// The calls that look at what has come, or wait for it.
#include <sys/ioctl.h>
#include <sys/select.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  put(fd, get("/text?look"));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  struct timeval limit = {10, 0};
  show("select", select(fd + 1, &set, NULL, NULL, &limit));
  char small[16];
  show("MSG_PEEK", recv(fd, small, sizeof small, MSG_PEEK));
  show("MSG_WAITALL", recv(fd, small, sizeof small, MSG_WAITALL));
  printf("%.16s\n", small);
  // The rest of it may come in pieces: wait until it is all there.
  int there = 0, before = -1;
  for (int i = 0; i < 200 && there != before; i++) {
    before = there;
    usleep(20000);
    ioctl(fd, FIONREAD, &there);
  }
  printf("FIONREAD: %d\n", there);
  char rest[1024], part[10];
  struct iovec pieces[] = {{part, sizeof part}, {rest, sizeof rest}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
  show("recvmsg", recvmsg(fd, &message, 0));
  printf("name length %u, control %zu, flags %d\n", message.msg_namelen, message.msg_controllen,
         message.msg_flags);
  show("MSG_DONTWAIT", recv(fd, small, sizeof small, MSG_DONTWAIT));
  put(fd, get("/text?readv"));
  struct pollfd readable = {fd, POLLIN, 0};
  show("poll", poll(&readable, 1, 10000));
  readable.events = POLLIN | POLLOUT | POLLPRI;
  poll(&readable, 1, 0);
  printf("poll: %s%s%s\n", readable.revents & POLLIN ? "IN " : "",
         readable.revents & POLLOUT ? "OUT " : "", readable.revents & POLLHUP ? "HUP " : "");
  printf("readv: %d\n", readv(fd, pieces, 2) > 10);
  return 0;
}
