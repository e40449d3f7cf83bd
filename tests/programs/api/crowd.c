// Threads that ask for one thing over one kept connection each, until they have asked often enough.
//   crowd PORT THREADS REQUESTS PATH
// Prints a line "thread body" for each answer, thread by thread in the order in which they came.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMost = 64, kBody = 64 };
static int port, requests;
static const char* path;
static char (*bodies[kMost])[kBody];

static void* ask(void* number) {
  long self = (long)number;
  struct sockaddr_in address = {0};
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) return "connect";
  char request[256];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
  for (int i = 0; i < requests; ++i) {
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) return "send";
    char answer[4096];
    size_t have = 0;
    char* body = NULL;
    for (;;) {
      ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
      if (n <= 0) return "recv";
      have += (size_t)n;
      answer[have] = 0;
      body = strstr(answer, "\r\n\r\n");
      const char* size = strcasestr(answer, "content-length:");
      if (body && size && have >= (size_t)(body + 4 - answer) + (size_t)atol(size + 15)) break;
    }
    body += 4;
    snprintf(bodies[self][i], kBody, "%.*s", (int)strcspn(body, "\n"), body);
  }
  close(fd);
  return NULL;
}

int main(int count, char** arguments) {
  if (count != 5) return 2;
  port = atoi(arguments[1]);
  int threads = atoi(arguments[2]);
  requests = atoi(arguments[3]);
  path = arguments[4];
  if (threads > kMost) return 2;
  pthread_t all[kMost];
  int status = 0;
  for (long i = 0; i < threads; ++i) {
    bodies[i] = calloc((size_t)requests, kBody);
    pthread_create(&all[i], NULL, ask, (void*)i);
  }
  for (int i = 0; i < threads; ++i) {
    void* failed;
    pthread_join(all[i], &failed);
    if (failed) fprintf(stderr, "thread %d: %s failed\n", i, (char*)failed), status = 1;
  }
  for (int i = 0; i < threads; ++i) {
    for (int r = 0; r < requests && bodies[i][r][0]; ++r) printf("%d %s\n", i, bodies[i][r]);
  }
  return status;
}
