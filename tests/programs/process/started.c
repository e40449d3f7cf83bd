// With a connection open, a program starts others in every way and goes on with its connection.
#include <spawn.h>
#include <sys/wait.h>
#include "tests/programs/descriptors/http.h"

extern char** environ;

static void wait_for(const char* what, pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  printf("%s: %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  ask(fd, "/text?1");
  pid_t child = vfork();
  if (child == 0) _exit(5);
  wait_for("vfork and _exit", child);
  ask(fd, "/text?2");
  child = vfork();
  if (child == 0) {
    // As a shell prepares it: what is closed and moved here is the child's alone.
    close(fd);
    dup2(1, 9);
    execl("/bin/sh", "sh", "-c", "exit 6", (char*)NULL);
    _exit(1);
  }
  wait_for("vfork and exec", child);
  ask(fd, "/text?3");
  child = vfork();
  if (child == 0) {
    execl("/nowhere/program", "program", (char*)NULL);
    _exit(7);
  }
  wait_for("vfork and a failing exec", child);
  ask(fd, "/text?4");
  char* words[] = {"sh", "-c", "exit 8", NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addclose(&actions, fd);
  posix_spawnp(&child, "sh", &actions, NULL, words, environ);
  wait_for("posix_spawnp", child);
  ask(fd, "/text?5");
  printf("system: %d\n", WEXITSTATUS(system("exit 9")));
  ask(fd, "/text?6");
  FILE* pipe = popen("echo from a pipe", "r");
  char line[100];
  while (fgets(line, sizeof line, pipe) != NULL) fputs(line, stdout);
  printf("pclose: %d\n", pclose(pipe));
  // One that is open while requests go round, and reads what they brought.
  pipe = popen("cat", "w");
  put(fd, get("/text?to-a-pipe"));
  receive_into(fd, answer, sizeof answer);
  fputs(strstr(answer, "\r\n\r\n") + 4, pipe);
  printf("pclose: %d\n", pclose(pipe));
  ask(fd, "/text?7");
  // A child that outlives nothing, but had the connection: its end is not the connection's.
  fflush(stdout);
  child = fork();
  if (child == 0) {
    shutdown(open("/dev/null", O_RDONLY), SHUT_RDWR);
    close(fd);
    _exit(4);
  }
  wait_for("fork, close and _exit", child);
  ask(fd, "/text?8");
  return 0;
}
