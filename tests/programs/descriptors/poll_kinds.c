// poll, ppoll, select and pselect see what is there and what is not, and time out.
#include <signal.h>
#include <sys/select.h>
#include "http.h"

static void see(int fd, int milliseconds) {
  struct pollfd one = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  if (milliseconds > 0) {
    struct pollfd readable = {fd, POLLIN, 0};
    show("poll", poll(&readable, 1, milliseconds));
  }
  int n = poll(&one, 1, 0);
  printf("%d%s%s%s%s%s%s\n", n, one.revents & POLLIN ? " IN" : "",
         one.revents & POLLOUT ? " OUT" : "", one.revents & POLLPRI ? " PRI" : "",
         one.revents & POLLRDHUP ? " RDHUP" : "", one.revents & POLLHUP ? " HUP" : "",
         one.revents & POLLERR ? " ERR" : "");
}

static void select_both(int fd, int write_too) {
  fd_set in, out, special;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&special);
  FD_SET(fd, &in);
  if (write_too) FD_SET(fd, &out);
  FD_SET(fd, &special);
  struct timespec limit = {0, 50000000};
  int n = pselect(fd + 1, &in, &out, &special, &limit, NULL);
  printf("pselect: %d, in %d, out %d, special %d\n", n, FD_ISSET(fd, &in) != 0,
         FD_ISSET(fd, &out) != 0, FD_ISSET(fd, &special) != 0);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  see(fd, 0);
  select_both(fd, 1);
  select_both(fd, 0);
  struct pollfd none = {fd, POLLIN, 0};
  struct timespec limit = {0, 50000000};
  show("ppoll", ppoll(&none, 1, &limit, NULL));
  put(fd, get("/text?poll"));
  see(fd, 10000);
  select_both(fd, 1);
  receive(fd);
  see(fd, 0);
  // Two connections, one of which has something.
  int other = connected();
  put(other, get("/text?other"));
  struct pollfd both[] = {{fd, POLLIN, 0}, {-1, POLLIN, 7}, {other, POLLIN, 0}};
  show("poll", poll(both, 3, 10000));
  printf("%d %d %d\n", both[0].revents, both[1].revents, both[2].revents);
  receive(other);
  // The server's end, then both ends.
  put(fd, "GET /text?last HTTP/1.0\r\n\r\n");
  receive(fd);
  show_end(fd);
  see(fd, 10000);
  select_both(fd, 1);
  shutdown(fd, SHUT_WR);
  see(fd, 10000);
  close(fd);
  struct pollfd closed = {fd, POLLIN, 0};
  show("poll of what is closed", poll(&closed, 1, 0));
  printf("NVAL: %d\n", closed.revents == POLLNVAL);
  return 0;
}
