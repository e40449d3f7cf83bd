// What the library costs calls that are none of its business: a pipe, a listening socket, files. Prints a line each,
// nanoseconds a call, the best of many turns: the least is what the code takes, the rest is the machine.
//
//   passing TURNS
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kCalls = 20000, kConnections = 200 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static double pipe_turn(int* ends) {
  char byte = 'x';
  double begin = now();
  for (int i = 0; i < kCalls; i++) {
    if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) fail("pipe");
  }
  return (now() - begin) / kCalls;
}

static double pair_turn(int* ends) {
  char byte = 'x';
  double begin = now();
  for (int i = 0; i < kCalls; i++) {
    if (send(ends[1], &byte, 1, 0) != 1 || recv(ends[0], &byte, 1, 0) != 1) fail("pair");
  }
  return (now() - begin) / kCalls;
}

static double file_turn(void) {
  double begin = now();
  for (int i = 0; i < kCalls; i++) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || close(fd) != 0) fail("/dev/null");
  }
  return (now() - begin) / kCalls;
}

// The clients' connect() is the library's business; the host is one that it ignores. They are all there before the
// clock starts.
static double accept_turn(int listener, struct sockaddr_in* address) {
  int clients[kConnections];
  char byte = 'x';
  for (int i = 0; i < kConnections; i++) {
    clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(clients[i], (struct sockaddr*)address, sizeof *address) != 0 || write(clients[i], &byte, 1) != 1)
      fail("connect");
  }
  double begin = now();
  for (int i = 0; i < kConnections; i++) {
    int server = accept(listener, NULL, NULL);
    if (server < 0 || recv(server, &byte, 1, 0) != 1 || close(server) != 0) fail("accept");
  }
  double spent = now() - begin;
  for (int i = 0; i < kConnections; i++) close(clients[i]);
  return spent / kConnections;
}

int main(int argc, char** argv) {
  int turns = argc > 1 ? atoi(argv[1]) : 50;
  int ends[2], pair[2], listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
      bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, kConnections) != 0 ||
      getsockname(listener, (struct sockaddr*)&address, &length) != 0)
    fail("preparing");
  double best[4] = {1e18, 1e18, 1e18, 1e18};
  for (int i = 0; i < turns; i++) {
    double turn[4] = {pipe_turn(ends), pair_turn(pair), file_turn(), accept_turn(listener, &address)};
    for (int j = 0; j < 4; j++) best[j] = turn[j] < best[j] ? turn[j] : best[j];
  }
  printf("%.1f %.1f %.1f %.1f\n", best[0], best[1], best[2], best[3]);
  return 0;
}
