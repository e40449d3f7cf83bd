// A client for hours: threads that ask for texts, on a new connection now and then, until SIGTERM; then it says how many
// whole answers it had.
//
//   soaker PORT THREADS PAUSE-IN-MICROSECONDS KEYS     of so many different texts; 0: each another one
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kOnOneConnection = 20 };
static int port, pause_between, keys;
static atomic_bool over;
static atomic_long answers, failures;

static void stop(int signal) {
  (void)signal;
  over = 1;
}

static int ask(int fd, const char* target) {
  char bytes[8192];
  size_t have = 0;
  int length =
      snprintf(bytes, sizeof bytes, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", target, port);
  if (send(fd, bytes, (size_t)length, MSG_NOSIGNAL) != length) return 0;
  for (;;) {
    ssize_t n = recv(fd, bytes + have, sizeof bytes - 1 - have, 0);
    if (n <= 0) return 0;
    have += (size_t)n;
    bytes[have] = '\0';
    const char* body = strstr(bytes, "\r\n\r\n");
    // "this is /text?...\n" is padded to 500 bytes.
    if (body != NULL && bytes + have - body >= 504)
      return strncmp(bytes, "HTTP/1.1 200 ", 13) == 0 && strstr(body, target) != NULL;
    if (body != NULL && strncmp(bytes, "HTTP/1.1 200 ", 13) != 0) return 0;
  }
}

static void* work(void* argument) {
  const long worker = (long)argument;
  int fd = -1;
  for (long i = 0; !over; ++i) {
    if (fd < 0) {
      fd = socket(AF_INET, SOCK_STREAM, 0);
      struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
      there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(fd, (struct sockaddr*)&there, sizeof there) != 0) failures++;
    }
    char target[100];
    if (keys == 0) {
      snprintf(target, sizeof target, "/text?size=500&w=%ld&i=%ld", worker, i);
    } else {
      snprintf(target, sizeof target, "/text?size=500&k=%ld", i % keys);
    }
    if (ask(fd, target)) {
      answers++;
    } else {
      failures++;
    }
    if (i % kOnOneConnection == kOnOneConnection - 1) {
      close(fd);
      fd = -1;
    }
    if (pause_between > 0) usleep((useconds_t)pause_between);
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 5) return 1;
  port = atoi(argv[1]);
  const int count = atoi(argv[2]);
  pause_between = atoi(argv[3]);
  keys = atoi(argv[4]);
  signal(SIGTERM, stop);
  pthread_t threads[64];
  for (long i = 0; i < count && i < 64; ++i) pthread_create(&threads[i], NULL, work, (void*)i);
  for (int i = 0; i < count && i < 64; ++i) pthread_join(threads[i], NULL);
  printf("%ld %ld\n", (long)answers, (long)failures);
  return 0;
}
