// connect(2) on sockets that are under way, or were connected before: a transcript, the same with and without the library.
//
//   connects CASE ORIGIN-PORT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in origin, hole;
static int listener, fd;
static volatile sig_atomic_t signals;

static void on_signal(int number) {
  (void)number;
  signals++;
}

static void handle(int flags) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  sigaction(SIGALRM, &action, NULL);
}

static void timer(long first, long each) {
  struct itimerval value = {{0, each}, {0, first}};
  setitimer(ITIMER_REAL, &value, NULL);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void result(const char* what, long value) {
  if (value < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, value);
}

/// A listener with a full backlog: a connection to it is under way until somebody accepts, and the kernel tries again, which it
/// does after a second.
static void dig(void) {
  socklen_t length = sizeof hole;
  hole = origin;
  hole.sin_port = 0;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  bind(listener, (struct sockaddr*)&hole, sizeof hole);
  listen(listener, 0);
  getsockname(listener, (struct sockaddr*)&hole, &length);
  int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(filler, (struct sockaddr*)&hole, sizeof hole);
  usleep(20000);
}

static void* fill_up(void* unused) {
  (void)unused;
  usleep(400000);
  for (int i = 0; i < 2; i++) accept(listener, NULL, NULL);
  return NULL;
}

static void open_later(void) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_create(&thread, NULL, fill_up, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int to(const struct sockaddr_in* place) {
  return connect(fd, (const struct sockaddr*)place, sizeof *place);
}

static void get(void) {
  static const char kRequest[] = "GET /turn HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  char answer[4096];
  size_t size = 0;
  ssize_t got;
  send(fd, kRequest, sizeof kRequest - 1, MSG_NOSIGNAL);
  struct pollfd readable = {fd, POLLIN, 0};
  while (poll(&readable, 1, 5000) == 1 &&
         (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0)
    size += (size_t)got;
  answer[size] = '\0';
  char* body = strstr(answer, "\r\n\r\n");
  printf("%s", body != NULL ? body + 4 : "no answer\n");
}

static void peer(void) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  result("getpeername", getpeername(fd, (struct sockaddr*)&address, &length));
}

static void new_socket(int flags) { fd = socket(AF_INET, SOCK_STREAM | flags, 0); }

static void retries(void) {
  int bad = 0;
  handle(0);
  timer(300, 300);
  for (int i = 0; i < 500; i++) {
    int status;
    new_socket(0);
    do status = to(&origin);
    while (status < 0 && errno == EINTR);
    if (status != 0) bad++;
    close(fd);
  }
  timer(0, 0);
  printf("failed: %d\n", bad);
}

static void interrupted(void) {
  dig();
  handle(0);
  new_socket(0);
  timer(100000, 0);
  result("first", to(&hole));
  timer(100000, 0);
  result("second", to(&hole));
  printf("signals: %d\n", (int)signals);
  peer();
  open_later();
  handle(SA_RESTART);
  timer(100000, 0);
  result("third", to(&hole));
  printf("signals: %d\n", (int)signals);
  result("fourth", to(&hole));
  peer();
}

static void restarted(void) {
  dig();
  handle(SA_RESTART);
  new_socket(0);
  open_later();
  timer(100000, 0);
  result("connect", to(&hole));
  printf("signals: %d\n", (int)signals);
}

static void limited(void) {
  struct timeval patience = {0, 150000};
  dig();
  handle(SA_RESTART);
  new_socket(0);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  double begin = now();
  result("first", to(&hole));
  result("second", to(&hole));
  printf("%s\n", now() - begin > 0.28 ? "waited" : "did not wait");
  timer(50000, 0);
  result("interrupted", to(&hole));
  open_later();
  for (int i = 0; i < 100; i++) {
    int status = to(&hole);
    if (status < 0 && errno == EALREADY) continue;
    result("at last", status);
    break;
  }
}

static void sends(void) {
  dig();
  handle(0);
  new_socket(0);
  timer(100000, 0);
  result("connect", to(&hole));
  result("without waiting", send(fd, "abc", 3, MSG_DONTWAIT));
  timer(100000, 0);
  result("interrupted", send(fd, "abc", 3, 0));
  open_later();
  double begin = now();
  result("blocking", send(fd, "abc", 3, 0));
  printf("%s\n", now() - begin > 0.2 ? "waited" : "did not wait");
  dig();
  new_socket(SOCK_NONBLOCK);
  result("nonblocking connect", to(&hole));
  result("again", to(&hole));
  result("nonblocking send", send(fd, "abc", 3, 0));
  result("write", write(fd, "abc", 3));
}

static void dissolved(void) {
  struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
  int on = 1;
  new_socket(0);
  setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
  result("connect", to(&origin));
  get();
  result("AF_UNSPEC", connect(fd, &nowhere, sizeof nowhere));
  peer();
  result("AF_UNSPEC again", connect(fd, &nowhere, sizeof nowhere));
  result("connect", to(&origin));
  get();
  on = 0;
  socklen_t length = sizeof on;
  getsockopt(fd, IPPROTO_TCP, 1, &on, &length);
  printf("TCP_NODELAY: %d\n", on != 0);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  result("AF_UNSPEC", connect(fd, &nowhere, sizeof nowhere));
  printf("O_NONBLOCK: %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  to(&origin);
  struct pollfd writable = {fd, POLLOUT, 0};
  result("poll", poll(&writable, 1, 5000));
  to(&origin);
  get();
  close(fd);
  dig();
  new_socket(SOCK_NONBLOCK);
  result("on its way", to(&hole));
  result("AF_UNSPEC", connect(fd, &nowhere, sizeof nowhere));
  fcntl(fd, F_SETFL, 0);
  result("connect", to(&origin));
  get();
}

/// A socket whose connect() failed can try again.
static void failed(void) {
  struct sockaddr_in nobody = origin;
  int error = 0;
  socklen_t length = sizeof nobody;
  int other = socket(AF_INET, SOCK_STREAM, 0);
  nobody.sin_port = 0;
  bind(other, (struct sockaddr*)&nobody, sizeof nobody);
  getsockname(other, (struct sockaddr*)&nobody, &length);
  new_socket(0);
  result("connect", to(&nobody));
  result("connect", to(&origin));
  get();
  dig();
  new_socket(SOCK_NONBLOCK);
  result("on its way", to(&hole));
  close(listener);  // what comes again is refused
  struct pollfd events = {fd, POLLOUT, 0};
  poll(&events, 1, 5000);
  result("failed", to(&hole));
  length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  printf("SO_ERROR: %d\n", error);
  fcntl(fd, F_SETFL, 0);
  result("connect", to(&origin));
  get();
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } kCases[] = {{"retries", retries},     {"interrupted", interrupted},
                {"restarted", restarted}, {"limited", limited},
                {"sends", sends},         {"dissolved", dissolved},
                {"failed", failed}};
  if (argc != 3) return 2;
  alarm(0);
  setvbuf(stdout, NULL, _IOLBF, 0);
  origin = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(argv[2])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (size_t i = 0; i < sizeof kCases / sizeof *kCases; i++) {
    if (strcmp(argv[1], kCases[i].name) == 0) return kCases[i].run(), 0;
  }
  return 2;
}
