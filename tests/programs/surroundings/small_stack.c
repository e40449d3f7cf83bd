// A thread with the smallest stack there may be makes requests. The first one of the process, with
// which the engine is loaded and the cassette read, is made by main(); not with a third argument, which
// is another size.
#include "tests/programs/descriptors/http.h"

#include <limits.h>
#include <pthread.h>

static void* ask_all(void* unused) {
  for (int i = 0; i < 3; ++i) {
    int fd = connected();
    ask(fd, "/turn");
    ask(fd, "/json");
    close(fd);
  }
  return unused;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  if (argc < 4) ask_all(NULL);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  show("size", -pthread_attr_setstacksize(
                   &attributes, argc < 4 ? (size_t)PTHREAD_STACK_MIN : (size_t)atoi(argv[3])));
  pthread_t thread;
  if (pthread_create(&thread, &attributes, ask_all, NULL) != 0) return 1;
  pthread_join(thread, NULL);
  return 0;
}
