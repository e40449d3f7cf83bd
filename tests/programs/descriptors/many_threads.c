// Thirty-two threads, each with connections of its own, that look at large and small answers.
#include <pthread.h>
#include "http.h"

enum { kThreads = 32, kRequests = 12 };
static int well[kThreads];

static void* client(void* argument) {
  long me = (long)argument;
  size_t size = 200000;
  char *text = malloc(size), path[64], wanted[80];
  int fd = connected();
  for (int i = 0; i < kRequests; i++) {
    if (i % 4 == 3) {
      close(fd);
      fd = connected();
    }
    int large = (me + i) % 3 == 0 ? 150000 : 0;
    snprintf(path, sizeof path, "/text?thread=%ld-%d&size=%d", me, i, large);
    snprintf(wanted, sizeof wanted, "\r\n\r\nthis is %s\n", path);
    put(fd, get(path));
    size_t n = receive_into(fd, text, size);
    well[me] += strstr(text, wanted) != NULL && n > (size_t)large;
  }
  close(fd);
  free(text);
  return NULL;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, client, (void*)i);
  for (long i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  int all = 0;
  for (int i = 0; i < kThreads; i++) all += well[i] == kRequests;
  printf("%d of %d threads got all their answers\n", all, kThreads);
  return 0;
}
