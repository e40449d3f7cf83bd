// Two hundred connections at once from one thread: all are begun before any is waited for.
#include <sys/epoll.h>
#include "http.h"

enum { kMany = 200, kRounds = 3 };

struct client {
  int fd, round;
  size_t n;
  char text[1024];
};

static struct client clients[kMany];

int main(int argc, char** argv) {
  begin(argc, argv);
  int loop = epoll_create1(0), left = kMany, well = 0, wrong = 0;
  for (int i = 0; i < kMany; i++) {
    struct client* c = &clients[i];
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (unsigned)i};
    if (i % 2 == 0) epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
    if (connect_fd(c->fd) != 0 && errno != EINPROGRESS) wrong++;
    if (i % 2 == 1) epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
  }
  while (left > 0 && wrong == 0) {
    struct epoll_event events[64];
    int n = epoll_wait(loop, events, 64, 20000);
    if (n <= 0) break;
    for (int k = 0; k < n; k++) {
      struct client* c = &clients[events[k].data.u32];
      int i = (int)events[k].data.u32;
      char path[64], wanted[80];
      if (events[k].events & EPOLLOUT) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        wrong += error != 0;
        snprintf(path, sizeof path, "/text?client-%d-%d", i, c->round);
        put(c->fd, get(path));
        events[k].events = EPOLLIN;
        epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &events[k]);
        continue;
      }
      ssize_t got = read(c->fd, c->text + c->n, sizeof c->text - 1 - c->n);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) {
        wrong++;
        break;
      }
      c->n += (size_t)got;
      c->text[c->n] = '\0';
      snprintf(wanted, sizeof wanted, "\r\n\r\nthis is /text?client-%d-%d\n", i, c->round);
      if (strstr(c->text, wanted) == NULL) continue;
      well++;
      c->n = 0;
      if (++c->round < kRounds) {
        events[k].events = EPOLLOUT;
        epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &events[k]);
      } else {
        close(c->fd);
        left--;
      }
    }
  }
  printf("%d answers, %d left, %d wrong\n", well, left, wrong);
  return 0;
}
