// Processes with a connection open end in every way; their status, and what they wrote, is theirs.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "tests/programs/descriptors/http.h"

static void at_exit(void) { puts("  at exit"); }

static void* end_by_thread(void* status) {
  exit((int)(long)status);
  return NULL;
}

static void* sleep_long(void* argument) {
  pause();
  return argument;
}

static void end(int way, int fd) {
  pthread_t thread;
  switch (way) {
    case 0:
      exit(10);
    case 1:
      _exit(11);
    case 2:
      _Exit(12);
    case 3:
      quick_exit(13);
    case 4:
      abort();
    case 5:
      raise(SIGTERM);
      break;
    case 6:
      raise(SIGKILL);
      break;
    case 7:
      pthread_create(&thread, NULL, end_by_thread, (void*)17L);
      pause();
      break;
    case 8:
      pthread_create(&thread, NULL, sleep_long, NULL);
      exit(18);
    case 9:  // without waiting for the answer
      put(fd, get("/text?unread-exit"));
      exit(19);
    case 10:
      put(fd, get("/text?unread"));
      _exit(20);
    case 11:
      __builtin_trap();
    default:
      break;
  }
}

int main(int argc, char** argv) {
  begin(argc, argv);
  atexit(at_exit);
  for (int way = 0; way <= 11; way++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      int fd = connected();
      char path[64];
      snprintf(path, sizeof path, "/text?way-%d", way);
      ask(fd, path);
      fflush(stdout);
      end(way, fd);
      _exit(99);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFEXITED(status))
      printf("%d: status %d\n", way, WEXITSTATUS(status));
    else
      printf("%d: signal %d\n", way, WTERMSIG(status));
  }
  ask(connected(), "/text?parent");
  return 0;
}
