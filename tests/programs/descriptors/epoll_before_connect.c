// Registered with epoll before connect, as event loops do it: the registration, with its data,
// holds afterwards.
#include <sys/epoll.h>
#include "http.h"

static int loop;

static void wait_for(const char* what, unsigned wanted) {
  struct epoll_event event = {0};
  // A registration that was lost shows as a timeout; one for the old socket as events that do not
  // fit.
  int n = epoll_wait(loop, &event, 1, 10000);
  printf("%s: %d, data %llx, %s\n", what, n, (unsigned long long)event.data.u64,
         (event.events & wanted) == wanted ? "as wanted" : "something else");
}

int main(int argc, char** argv) {
  begin(argc, argv);
  for (int edge = 0; edge <= 1; edge++) {
    loop = epoll_create1(EPOLL_CLOEXEC);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLOUT | (edge ? EPOLLET : 0),
                                .data.u64 = 0x123456789abcdef0};
    show("add", epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event));
    show("connect", connect_fd(fd));
    wait_for("writable", EPOLLOUT);
    event.events = EPOLLIN | (edge ? EPOLLET : 0);
    show("modify", epoll_ctl(loop, EPOLL_CTL_MOD, fd, &event));
    show("nothing to read yet", epoll_wait(loop, &event, 1, 50));
    put(fd, get("/text?epoll"));
    wait_for("readable", EPOLLIN);
    receive(fd);
    show("nothing more", epoll_wait(loop, &event, 1, 50));
    show("add again", epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event));
    show("delete", epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL));
    close(fd);
    show("nothing after close", epoll_wait(loop, &event, 1, 50));
    close(loop);
  }
  return 0;
}
