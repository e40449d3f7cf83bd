// Becomes a program, or starts one and waits for it, in one of the ways that there are, with an environment in which
// there is nothing but what the way allows.
//
//   start WAY ENVIRONMENT PROGRAM [ARGUMENT...]
//
// ENVIRONMENT: empty, none (a null pointer), kept, preload (another LD_PRELOAD and nothing else), taken (as it is, but
// for LD_PRELOAD).
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int ended(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static int wait_for(pid_t child) {
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child ? ended(status) : 99;
}

static char **environment_for(const char *kind) {
  static char *empty[] = {NULL}, *preload[] = {"LD_PRELOAD=libm.so.6", NULL};
  if (!strcmp(kind, "empty")) return empty;
  if (!strcmp(kind, "none")) return NULL;
  if (!strcmp(kind, "preload")) return preload;
  if (!strcmp(kind, "taken")) unsetenv("LD_PRELOAD");
  return environ;
}

int main(int count, char **arguments) {
  if (count < 4) return 98;
  const char *way = arguments[1], *path = arguments[3];
  char **rest = arguments + 3, **environment = environment_for(arguments[2]);
  char *a = rest[1], *b = a ? rest[2] : NULL;
  pid_t child = 0;
  // Those that take the process's own.
  char **own = environ;
#define OWN (environ = environment)
  if (!strcmp(way, "execve")) execve(path, rest, environment);
  if (!strcmp(way, "execv")) OWN, execv(path, rest);
  if (!strcmp(way, "execvp")) OWN, execvp(path, rest);
  if (!strcmp(way, "execvpe")) execvpe(path, rest, environment);
  if (!strcmp(way, "execl")) OWN, execl(path, path, a, b, (char *)NULL);
  if (!strcmp(way, "execle")) execle(path, path, a, b, (char *)NULL, environment);
  if (!strcmp(way, "execlp")) OWN, execlp(path, path, a, b, (char *)NULL);
  if (!strcmp(way, "fexecve")) fexecve(open(path, O_RDONLY | O_CLOEXEC), rest, environment);
  if (!strcmp(way, "execveat")) execveat(AT_FDCWD, path, rest, environment, 0);
  if (!strcmp(way, "vfork")) {
    if ((child = vfork()) == 0) {
      execve(path, rest, environment);
      _exit(97);
    }
    return wait_for(child);
  }
  if (!strcmp(way, "posix_spawn")) return posix_spawn(&child, path, NULL, NULL, rest, environment) ?: wait_for(child);
  if (!strcmp(way, "posix_spawnp")) return posix_spawnp(&child, path, NULL, NULL, rest, environment) ?: wait_for(child);
  char command[4096] = "exec";
  for (char **word = rest; *word; ++word) strcat(strcat(strcat(command, " '"), *word), "'");
  if (!strcmp(way, "system")) {
    OWN;
    return ended(system(command));
  }
  if (!strcmp(way, "popen")) {
    OWN;
    FILE *pipe = popen(command, "r");
    for (int c; (c = getc(pipe)) != EOF;) putchar(c);
    return ended(pclose(pipe));
  }
  environ = own;
  perror(way);
  return 96;
}
