// The main thread ends, and the process with the last of the others, which has used connections.
#include <pthread.h>
#include <sys/wait.h>
#include "tests/programs/descriptors/http.h"

static pthread_t first;

static void* last(void* path) {
  pthread_join(first, NULL);
  ask(connected(), path);
  puts("  the last thread");
  return NULL;
}

static void at_exit(void) { puts("  at exit"); }

int main(int argc, char** argv) {
  begin(argc, argv);
  atexit(at_exit);
  for (int before = 0; before <= 1; before++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      // Connected before the main thread ends, or only after.
      if (before) ask(connected(), "/text?before");
      pthread_t thread;
      first = pthread_self();
      pthread_create(&thread, NULL, last, before ? "/text?1" : "/text?2");
      pthread_exit(NULL);
    }
    int status = -1;
    waitpid(child, &status, 0);
    printf("%s %d\n", WIFEXITED(status) ? "status" : "signal",
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  }
  ask(connected(), "/text?parent");
  return 0;
}
