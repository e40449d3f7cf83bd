// A program that talks to itself: a line protocol in which the server speaks first, on a thread of
// its own, UNIX sockets, datagrams and pipes, beside an intercepted connection. All of these are what they were.
#include <pthread.h>
#include <sys/un.h>
#include "tests/programs/descriptors/http.h"

static int listener;

// Greets, then sends each line back.
static void* serve(void* argument) {
  for (int i = 0; i < 2; i++) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) break;
    const char banner[] = "220 ready\n";
    send(fd, banner, sizeof banner - 1, MSG_NOSIGNAL);
    char text[256];
    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;) {
      if (write(fd, text, (size_t)n) < 0) break;
    }
    close(fd);
  }
  return argument;
}

static void line(int fd) {
  char text[256];
  size_t n = 0;
  while (n < sizeof text - 1 && read(fd, text + n, 1) == 1)
    if (text[n++] == '\n') break;
  printf("%.*s", (int)n, text);
}

static void there_and_back(const char* what, int to, int from) {
  printf("%s: ", what);
  put(to, get("/text?no-request") + 4);
  char text[512];
  size_t n = 0, wanted = strlen(get("/text?no-request") + 4);
  while (n < wanted) {
    ssize_t got = read(from, text + n, sizeof text - n);
    if (got <= 0) break;
    n += (size_t)got;
  }
  printf("%d\n", n == wanted && memcmp(text, get("/text?no-request") + 4, n) == 0);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  ask(fd, "/text?before");

  // Where the settings of process.test have the library leave connections alone.
  listener = tcp();
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
  socklen_t length = sizeof own;
  show("bind", bind(listener, (struct sockaddr*)&own, sizeof own));
  getsockname(listener, (struct sockaddr*)&own, &length);
  show("listen", listen(listener, 5));
  pthread_t thread;
  pthread_create(&thread, NULL, serve, NULL);
  for (int i = 0; i < 2; i++) {
    int lines = tcp();
    show("connect", connect(lines, (struct sockaddr*)&own, sizeof own));
    line(lines);
    put(lines, "HELO\n");
    line(lines);
    ask(fd, "/text?between");
    put(lines, "GET / HTTP/1.1\n");
    line(lines);
    struct sockaddr_in peer;
    length = sizeof peer;
    show("getpeername", getpeername(lines, (struct sockaddr*)&peer, &length));
    printf("the listener: %d\n", memcmp(&peer, &own, length) == 0);
    show("shutdown", shutdown(lines, SHUT_WR));
    show_end(lines);
    close(lines);
  }
  pthread_join(thread, NULL);

  int pair[2];
  show("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  there_and_back("a UNIX pair", pair[0], pair[1]);
  there_and_back("the other way", pair[1], pair[0]);
  struct ucred who;
  length = sizeof who;
  show("SO_PEERCRED", getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &length));
  printf("  this process: %d\n", who.pid == getpid());
  show("TCP_NODELAY of it", setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &length, sizeof length));
  int pipes[2];
  show("pipe", pipe(pipes));
  there_and_back("a pipe", pipes[1], pipes[0]);

  // A UNIX socket with an abstract name.
  int unix_listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  // Autobind: the kernel chooses it.
  show("bind", bind(unix_listener, (struct sockaddr*)&name, sizeof name.sun_family));
  length = sizeof name;
  getsockname(unix_listener, (struct sockaddr*)&name, &length);
  show("listen", listen(unix_listener, 1));
  show("connect", connect(client, (struct sockaddr*)&name, length));
  int served = accept(unix_listener, NULL, NULL);
  there_and_back("a UNIX socket", client, served);

  int datagrams[2] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0)};
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  length = sizeof place;
  show("bind", bind(datagrams[0], (struct sockaddr*)&place, sizeof place));
  getsockname(datagrams[0], (struct sockaddr*)&place, &length);
  show("connect", connect(datagrams[1], (struct sockaddr*)&place, sizeof place));
  there_and_back("datagrams", datagrams[1], datagrams[0]);
  ask(fd, "/text?after");
  return 0;
}
