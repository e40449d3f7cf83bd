// A client that says what it has: asks for one text after the other, and writes the target of each whole answer, as a
// line, to a file. What stands there had been received when the process was killed.
//
//   recorder PORT FILE TAG COUNT single|forked|threads
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kWorkers = 3 };
static int port, count, done;
static const char* tag;

// Reads one answer; its body's length, or -1.
static long answer(int fd, const char* target) {
  static _Thread_local char bytes[1 << 17];
  size_t have = 0;
  for (;;) {
    ssize_t n = recv(fd, bytes + have, sizeof bytes - 1 - have, 0);
    if (n <= 0) return -1;
    have += (size_t)n;
    bytes[have] = '\0';
    const char* body = strstr(bytes, "\r\n\r\n");
    const char* length = strcasestr(bytes, "content-length:");
    if (body == NULL || length == NULL || length > body) continue;
    long size = strtol(length + strlen("content-length:"), NULL, 10);
    body += 4;
    if ((long)(bytes + have - body) < size) continue;
    if (strncmp(bytes, "HTTP/1.1 200 ", 13) != 0 || strstr(body, target) == NULL) return -1;
    return size;
  }
}

static void* work(void* argument) {
  int worker = (int)(long)argument;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr*)&there, sizeof there) != 0) exit(2);
  for (int i = 0; i < count; ++i) {
    char target[200], request[400], line[220];
    // Every seventh one does not fit one segment.
    snprintf(target, sizeof target, "/text?%s.%d.%d&size=%d", tag, worker, i,
             i % 7 == 6 ? 60000 : 200 + i);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                          target, port);
    if (send(fd, request, (size_t)length, 0) != length || answer(fd, target) < 0) exit(3);
    length = snprintf(line, sizeof line, "%s\n", target);
    if (write(done, line, (size_t)length) != length) exit(4);
  }
  close(fd);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 6) return 1;
  port = atoi(argv[1]);
  done = open(argv[2], O_WRONLY | O_APPEND | O_CREAT, 0666);
  tag = argv[3];
  count = atoi(argv[4]);
  if (strcmp(argv[5], "single") == 0) {
    work((void*)0);
  } else if (strcmp(argv[5], "forked") == 0) {
    int failed = 0, status;
    for (long i = 0; i < kWorkers; ++i) {
      if (fork() == 0) {
        work((void*)i);
        exit(0);
      }
    }
    while (wait(&status) > 0) failed |= status;
    return failed != 0;
  } else {
    pthread_t threads[kWorkers];
    for (long i = 0; i < kWorkers; ++i) pthread_create(&threads[i], NULL, work, (void*)i);
    for (long i = 0; i < kWorkers; ++i) pthread_join(threads[i], NULL);
  }
  return 0;
}
