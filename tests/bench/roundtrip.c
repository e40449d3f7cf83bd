// Measures round trips a second on one keep-alive connection, as a client sees them: it sends a
// GET, reads until the response is complete, and does so again, with plain blocking calls, the same
// with and without the library.
//
//   roundtrip ADDRESS PORT PATH SECONDS
//
// prints round trips a second, and in microseconds their mean, median and 99th percentile.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/bench/client.h"

static void fail(const char* what) {
  fprintf(stderr, "roundtrip: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: roundtrip ADDRESS PORT PATH SECONDS\n");
    return 2;
  }
  struct sockaddr_in server = {.sin_family = AF_INET,
                               .sin_port = htons((unsigned short)atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &server.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (connect(fd, (struct sockaddr*)&server, sizeof server) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct timeval limit = {10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);

  char request[512];
  int request_size =
      snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nAccept: */*\r\n\r\n",
               argv[3], argv[1], argv[2]);
  enum { kMost = 4000000 };
  float* times = malloc(kMost * sizeof *times);
  char answer[65536];
  const double seconds = atof(argv[4]), begin = now();
  double last = begin;
  int done = 0;
  // The first one may load things: it does not count, and shows how long a response is.
  size_t whole = 0;
  while (done < kMost && last - begin < seconds) {
    if (send(fd, request, (size_t)request_size, 0) != request_size) fail("send");
    size_t have = 0, wanted = 0;
    while (wanted == 0 || have < wanted) {
      ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
      if (n <= 0) fail(n == 0 ? "the connection ended" : "recv");
      have += (size_t)n;
      answer[have] = '\0';
      if (wanted == 0) wanted = whole_answer(answer);
    }
    if (whole == 0 && strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
      fprintf(stderr, "roundtrip: not answered with 200: %.60s\n", answer);
      return 1;
    }
    if (whole != 0 && have != whole) {
      fprintf(stderr, "roundtrip: an answer of another length\n");
      return 1;
    }
    double time = now();
    if (whole != 0) times[done++] = (float)((time - last) * 1e6);
    whole = have;
    last = time;
  }
  if (done == 0) fail("too little time for a second round trip");
  print_figures(times, done);
  free(times);
  return 0;
}
