// A connection is used by a child, by the parent, and by a child that was started as another
// program; and each of them sees its end.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include "http.h"

extern char** environ;

static void in_child(int fd, const char* path) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    ask(fd, path);
    exit(7);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("child: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  ask(fd, "/text?parent");
  in_child(fd, "/text?child");
  in_child(fd, "/text?second-child");
  ask(fd, "/text?parent-again");

  // A connection of the child's own.
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int own = connected();
    ask(own, "/text?own");
    ask(fd, "/text?inherited");
    exit(0);
  }
  waitpid(child, NULL, 0);
  ask(fd, "/text?parent-last");

  // Asked here, read to its end by another program, while this one no longer has it.
  fflush(stdout);
  put(fd, "GET /http10 HTTP/1.0\r\n\r\n");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 0);
  posix_spawn_file_actions_addclose(&actions, fd);
  char* words[] = {"sh", "-c", "tr -d '\\r' | sed 1q", NULL};
  posix_spawn(&child, "/bin/sh", &actions, NULL, words, environ);
  close(fd);
  int status = -1;
  waitpid(child, &status, 0);
  printf("sh: %d\n", status);

  // A child that only has the descriptor does not keep the end from the parent.
  fd = connected();
  fflush(stdout);
  child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  put(fd, "GET /text?end HTTP/1.0\r\n\r\n");
  receive(fd);
  show_end(fd);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return 0;
}
