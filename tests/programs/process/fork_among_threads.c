// A program with several threads in the middle of their connections forks, again and again: the
// children make connections of their own, the threads go on.
#include <pthread.h>
#include <sys/wait.h>
#include "tests/programs/descriptors/http.h"

enum { kThreads = 4, kRequests = 60, kChildren = 12 };
static int well[kThreads];

static int right(int fd, const char* path) {
  char text[1024], wanted[100];
  snprintf(wanted, sizeof wanted, "\r\n\r\nthis is %s\n", path);
  put(fd, get(path));
  receive_into(fd, text, sizeof text);
  return strstr(text, wanted) != NULL;
}

static void* client(void* argument) {
  long me = (long)argument;
  int fd = connected();
  for (int i = 0; i < kRequests; i++) {
    char path[64];
    snprintf(path, sizeof path, "/text?thread-%ld-%d", me, i);
    well[me] += right(fd, path);
    if (i % 10 == 9) {
      close(fd);
      fd = connected();
    }
  }
  close(fd);
  return NULL;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  ask(fd, "/text?before");
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, client, (void*)i);
  int children = 0;
  for (int i = 0; i < kChildren; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      char path[64];
      snprintf(path, sizeof path, "/text?child-%d", i);
      int own = connected();
      int answered = right(own, path);
      snprintf(path, sizeof path, "/text?child-%d-again", i);
      answered += right(own, path);
      // Half of them run what is registered for the end of the program, half do not.
      i % 2 ? exit(answered) : _exit(answered);
    }
    int status = -1;
    waitpid(child, &status, 0);
    children += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  }
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < kThreads; i++) printf("thread: %d of %d\n", well[i], kRequests);
  printf("children: %d of %d\n", children, 2 * kChildren);
  ask(fd, "/text?after");
  return 0;
}
