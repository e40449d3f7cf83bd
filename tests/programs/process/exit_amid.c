// exit() from a second thread while others, and the one that serves connections, are at work.
#include "tests/programs/process/hammer.h"

#include <sys/wait.h>

static void* end(void* argument) {
  wait_until_running(4);
  exit((int)(long)argument);
  return NULL;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  ask(connected(), "/text?before");
  for (int i = 0; i < 5; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      // One more that is asked and not read.
      put(connected(), get("/__count"));
      pthread_t threads[5];
      pthread_create(&threads[0], NULL, hammer_connect, NULL);
      pthread_create(&threads[1], NULL, hammer_ask, NULL);
      pthread_create(&threads[2], NULL, hammer_names, NULL);
      pthread_create(&threads[3], NULL, hammer_read, NULL);
      pthread_create(&threads[4], NULL, end, (void*)(long)(20 + i));
      if (i % 2) pthread_exit(NULL);
      for (;;) pause();
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFEXITED(status))
      printf("status %d\n", WEXITSTATUS(status));
    else
      printf("signal %d\n", WTERMSIG(status));
  }
  ask(connected(), "/text?after");
  return 0;
}
