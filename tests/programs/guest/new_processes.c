// Makes a request, then a child in the way that is asked for, which makes one more; then another one itself.
//   new_processes WAY PORT        WAY: fork, _Fork, clone, clone-files, sys_fork, sys_clone, sys_clone3, clone-exec, _Fork-handler
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/guest/asks.h"

static int port;
static int kept = -1;  // a connection that the parent has, and the child does not touch

static int child(void* ignored) {
  (void)ignored;
  int fd = open_connection(port);
  ask("child", fd);
  close(fd);
  return 7;
}

static const char* way;
static char stack[1 << 18];

static pid_t by_clone3(void) {
  struct clone_args arguments = {.exit_signal = SIGCHLD};
  return syscall(SYS_clone3, &arguments, sizeof arguments);
}

static pid_t make_child(void) {
  if (strcmp(way, "fork") == 0) return fork();
  if (strncmp(way, "_Fork", 5) == 0) return _Fork();
#ifdef SYS_fork
  if (strcmp(way, "sys_fork") == 0) return syscall(SYS_fork);
#else
  if (strcmp(way, "sys_fork") == 0) return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
  if (strcmp(way, "sys_clone") == 0) return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (strcmp(way, "sys_clone3") == 0) return by_clone3();
  const int flags = SIGCHLD | (strcmp(way, "clone-files") == 0 ? CLONE_FILES : 0);
  return clone(child, stack + sizeof stack, flags, NULL);
}

static void in_handler(int number) {
  (void)number;
  pid_t process = _Fork();
  if (process == 0) _exit(child(NULL));
  int status;
  waitpid(process, &status, 0);
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  way = arguments[1];
  port = atoi(arguments[2]);
  kept = open_connection(port);
  ask("parent", kept);
  if (strcmp(way, "_Fork-handler") == 0) {
    signal(SIGUSR1, in_handler);
    raise(SIGUSR1);
  } else {
    pid_t process = make_child();
    if (process == 0) _exit(child(NULL));
    int status = 0;
    if (process < 0 || waitpid(process, &status, 0) != process) perror(way);
    if (WIFSIGNALED(status)) printf("child ended by signal %d\n", WTERMSIG(status));
    if (WIFEXITED(status)) printf("child ended with %d\n", WEXITSTATUS(status));
  }
  ask("parent", kept);
  // The service thread is still there for what does not fit.
  int fd = open_connection(port);
  ask("parent", fd);
  return 0;
}
