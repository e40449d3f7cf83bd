// Threads are cancelled wherever they are within connect, send, read and getaddrinfo; the others,
// and new connections, go on.
#include "tests/programs/process/hammer.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  ask(fd, "/text?before");
  void* (*kinds[])(void*) = {hammer_connect, hammer_ask, hammer_names, hammer_read};
  enum { kKinds = sizeof kinds / sizeof *kinds, kRounds = 8 };
  int cancelled = 0;
  for (int round = 0; round < kRounds; round++) {
    pthread_t threads[kKinds];
    hammers_running = 0;
    for (int i = 0; i < kKinds; i++) pthread_create(&threads[i], NULL, kinds[i], NULL);
    wait_until_running(kKinds);
    usleep((useconds_t)(round * 137));
    for (int i = 0; i < kKinds; i++) pthread_cancel(threads[i]);
    for (int i = 0; i < kKinds; i++) {
      void* result = NULL;
      pthread_join(threads[i], &result);
      cancelled += result == PTHREAD_CANCELED;
    }
    ask(fd, "/text?between");
    int next = connected();
    ask(next, "/text?new");
    close(next);
  }
  printf("cancelled: %d of %d\n", cancelled, kKinds * kRounds);
  ask(fd, "/text?after");
  return 0;
}
