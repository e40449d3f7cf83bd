// Eight threads with fifty requests each. First a connection a thread and one target for all: the
// server numbers its answers, and no two threads may get the same one. Then connections that go
// from thread to thread.
#include <pthread.h>
#include "http.h"

enum { kThreads = 8, kRequests = 50 };
static int seen[kThreads * kRequests + 1];
static int wrong;
static int shared[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int number(int fd, const char* path) {
  char text[1024];
  put(fd, get(path));
  receive_into(fd, text, sizeof text);
  const char* turn = strstr(text, "\r\n\r\nturn ");
  return turn != NULL ? atoi(turn + 9) : -1;
}

static void* own_connections(void* argument) {
  int fd = connected();
  for (int i = 0; i < kRequests; i++) {
    if (i % 10 == 9) {
      close(fd);
      fd = connected();
    }
    int n = number(fd, "/turn?threads");
    pthread_mutex_lock(&lock);
    if (n < 1 || n > kThreads * kRequests)
      wrong++;
    else
      seen[n]++;
    pthread_mutex_unlock(&lock);
  }
  close(fd);
  return argument;
}

static void* shared_connections(void* argument) {
  char path[64], text[1024], wanted[100];
  for (int i = 0; i < kRequests; i++) {
    snprintf(path, sizeof path, "/text?%d-%d", (int)(long)argument, i);
    snprintf(wanted, sizeof wanted, "this is %s\n", path);
    pthread_mutex_lock(&lock);
    put(shared[i % 2], get(path));
    receive_into(shared[i % 2], text, sizeof text);
    if (strstr(text, wanted) == NULL) wrong++;
    pthread_mutex_unlock(&lock);
  }
  return argument;
}

static void run(void* (*function)(void*)) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, function, (void*)i);
  for (long i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  run(own_connections);
  int once = 0;
  for (int i = 1; i <= kThreads * kRequests; i++) once += seen[i] == 1;
  printf("own connections: %d answers once each, %d wrong\n", once, wrong);
  shared[0] = connected();
  shared[1] = connected();
  run(shared_connections);
  printf("shared connections: %d wrong\n", wrong);
  return 0;
}
