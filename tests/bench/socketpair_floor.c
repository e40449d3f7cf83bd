// The floor under a replay through a socket pair: a request written at one end and read at the
// other, and a response the other way, by one thread, which is what the kernel alone costs.
//
//   socketpair_floor REQUEST_BYTES RESPONSE_BYTES SECONDS     prints round trips a second, and
//   microseconds for one
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/client.h"

static void pass(int from, int to, char* bytes, size_t size) {
  size_t have = 0;
  if (write(from, bytes, size) != (ssize_t)size) exit(1);
  while (have < size) {
    ssize_t n = read(to, bytes + have, size - have);
    if (n <= 0) exit(1);
    have += (size_t)n;
  }
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: socketpair_floor REQUEST_BYTES RESPONSE_BYTES SECONDS\n");
    return 2;
  }
  static char bytes[65536];
  memset(bytes, 'x', sizeof bytes);
  size_t request = (size_t)atoi(argv[1]), response = (size_t)atoi(argv[2]);
  int pair[2];
  if (request > sizeof bytes || response > sizeof bytes ||
      socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
    return 1;
  const double seconds = atof(argv[3]), begin = now();
  double end = begin;
  long done = 0;
  while (end - begin < seconds) {
    for (int i = 0; i < 100; i++, done++) {
      pass(pair[0], pair[1], bytes, request);
      pass(pair[1], pair[0], bytes, response);
    }
    end = now();
  }
  printf("%.0f %.2f\n", (double)done / (end - begin), (end - begin) * 1e6 / (double)done);
  return 0;
}
