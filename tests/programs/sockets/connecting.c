// When a socket whose connect() is under way becomes writable, and what it says until then: a transcript, the same with and
// without the library. A server on loopback has accepted before connect() returns, and so nothing is waited for.
#include <sys/epoll.h>
#include <sys/select.h>

#include "both_ends.h"

static int under_way(int buffer) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (buffer > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  int result = connect(fd, (struct sockaddr*)&place, sizeof place);
  printf("connect=%s", result == 0 ? "0" : strerrorname_np(errno));
  return fd;
}

static void end_case(int fd) {
  printf("\n");
  close(fd);
}

static void talk(int fd) {
  char bytes[16];
  int server = accept(listener, NULL, NULL);
  printf(" send=%zd", send(fd, "\001\002\003", 3, 0));
  printf(" server=%zd", recv(server, bytes, sizeof bytes, 0));
  close(server);
}

static void connected(int buffer) {
  listen_anew(0);

  int fd = under_way(buffer);
  struct pollfd room = {fd, POLLIN | POLLOUT, 0};
  int ready = poll(&room, 1, 0);
  printf(" poll=%d events=%x", ready, (unsigned)room.revents);
  talk(fd);
  end_case(fd);

  fd = under_way(buffer);
  int queue = epoll_create1(0);
  struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET}, event = {0};
  epoll_ctl(queue, EPOLL_CTL_ADD, fd, &wanted);
  ready = epoll_wait(queue, &event, 1, 0);
  printf(" epoll=%d events=%x", ready, event.events);
  talk(fd);
  end_case(fd);

  // Registered first.
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  wanted.events = EPOLLOUT | EPOLLIN;
  epoll_ctl(queue, EPOLL_CTL_ADD, fd, &wanted);
  int result = connect(fd, (struct sockaddr*)&place, sizeof place);
  ready = epoll_wait(queue, &event, 1, 0);
  printf("registered first, connect=%d epoll=%d events=%x", result, ready, event.events);
  talk(fd);
  end_case(fd);
  close(queue);

  fd = under_way(buffer);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  struct timeval none = {0, 0};
  printf(" select=%d", select(fd + 1, NULL, &set, NULL, &none));
  talk(fd);
  end_case(fd);

  // Nobody looks.
  fd = under_way(buffer);
  talk(fd);
  for (int i = 0; i < 2; i++) {
    result = connect(fd, (struct sockaddr*)&place, sizeof place);
    printf(" again=%s", result == 0 ? "0" : strerrorname_np(errno));
  }
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  printf(" getpeername=%d", getpeername(fd, (struct sockaddr*)&address, &length));
  end_case(fd);
}

static void refused(void) {
  listen_anew(0);
  close(listener);
  listener = -1;
  for (int by_poll = 0; by_poll < 2; by_poll++) {
    int fd = under_way(0), error = 0;
    socklen_t length = sizeof error;
    struct pollfd events = {fd, POLLIN | POLLOUT, 0};
    int ready = by_poll ? poll(&events, 1, 0) : 0;
    if (by_poll) printf(" poll=%d events=%x", ready, (unsigned)events.revents);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    printf(" SO_ERROR=%s", error ? strerrorname_np(error) : "0");
    end_case(fd);
  }
}

/// The queue of the listener is full: the connection is under way for longer than anybody waits here.
static void pending(int buffer) {
  static char much[1 << 20];
  listen_anew(0);
  listen(listener, 0);
  int first = under_way(0), second = under_way(0);
  printf("\n");
  int fd = under_way(buffer);
  struct pollfd room = {fd, POLLOUT, 0};
  printf(" poll=%d", poll(&room, 1, 50));
  ssize_t sent = send(fd, much, sizeof much, MSG_NOSIGNAL);
  printf(" send=%s", sent < 0 ? strerrorname_np(errno) : "some");
  int result = connect(fd, (struct sockaddr*)&place, sizeof place);
  printf(" again=%s", result == 0 ? "0" : strerrorname_np(errno));
  buffer = 1 << 20;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  printf(" poll=%d", poll(&room, 1, 50));
  end_case(fd);
  close(first);
  close(second);
}

int main(void) {
  alarm(30);
  setvbuf(stdout, NULL, _IOLBF, 0);
  connected(0);
  connected(4096);
  refused();
  pending(0);
  return 0;
}
