// Level and edge triggered, one-shot and hang-up events of epoll, and one descriptor in two of them.
#include <sys/epoll.h>
#include "http.h"

static int loop, fd;

static void wait_for(const char* what, int milliseconds) {
  struct epoll_event event = {0};
  int n = epoll_wait(loop, &event, 1, milliseconds);
  printf("%s: %d%s%s%s%s%s\n", what, n, event.events & EPOLLIN ? " IN" : "",
         event.events & EPOLLOUT ? " OUT" : "", event.events & EPOLLRDHUP ? " RDHUP" : "",
         event.events & EPOLLHUP ? " HUP" : "", event.events & EPOLLERR ? " ERR" : "");
}

static void want(int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(loop, operation, fd, &event) != 0) show("epoll_ctl", -1);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  loop = epoll_create1(EPOLL_CLOEXEC);
  fd = connected();
  puts("level triggered");
  want(EPOLL_CTL_ADD, EPOLLIN);
  put(fd, get("/text?level"));
  wait_for("an answer", 10000);
  wait_for("still there", 10000);
  receive(fd);
  wait_for("read", 50);

  puts("edge triggered");
  want(EPOLL_CTL_MOD, EPOLLIN | EPOLLET);
  put(fd, get("/text?edge"));
  wait_for("an answer", 10000);
  receive(fd);
  wait_for("read", 50);
  put(fd, get("/text?edge-2"));
  wait_for("the next", 10000);
  receive(fd);
  want(EPOLL_CTL_MOD, EPOLLOUT | EPOLLET);
  wait_for("writable", 10000);
  wait_for("told once", 50);

  puts("one-shot");
  want(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
  put(fd, get("/text?oneshot"));
  wait_for("an answer", 10000);
  wait_for("told once", 50);
  want(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
  wait_for("armed again", 10000);
  receive(fd);
  want(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
  wait_for("read", 50);

  puts("in two");
  int other = epoll_create1(0), nested = loop;
  loop = other;
  want(EPOLL_CTL_ADD, EPOLLIN);
  put(fd, get("/text?two"));
  wait_for("the second", 10000);
  loop = nested;
  wait_for("the first", 10000);
  receive(fd);
  loop = other;
  wait_for("read", 50);
  // A copy of the descriptor is an entry of its own.
  int original = fd;
  fd = dup(fd);
  want(EPOLL_CTL_ADD, EPOLLIN);
  put(original, get("/text?copy"));
  struct epoll_event events[4];
  struct pollfd readable = {original, POLLIN, 0};
  poll(&readable, 1, 10000);
  printf("of a copy: %d\n", epoll_wait(loop, events, 4, 1000));
  receive(original);
  close(fd);
  printf("closed: %d\n", epoll_wait(loop, events, 4, 50));
  close(loop);
  fd = original;
  loop = nested;

  puts("the end");
  want(EPOLL_CTL_MOD, EPOLLRDHUP);
  wait_for("before", 50);
  put(fd, "GET /text?end HTTP/1.0\r\n\r\n");
  wait_for("the server's", 10000);
  receive(fd);
  show_end(fd);
  want(EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP | EPOLLET);
  wait_for("with the rest read", 10000);
  show("shutdown", shutdown(fd, SHUT_WR));
  want(EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
  wait_for("of both", 10000);
  return 0;
}
