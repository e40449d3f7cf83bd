// Programs that are started get the connection, or not, as its flag says, and use it while their
// parent lives: by fork and exec, vfork and exec, posix_spawn and system.
#include <spawn.h>
#include <sys/wait.h>
#include "http.h"

extern char** environ;

int main(int argc, char** argv) {
  begin(argc, argv);
  if (argc == 5) {  // the started program: asks on the number that it is given
    int fd = atoi(argv[3]);
    printf("flag: %d\n", fcntl(fd, F_GETFD));
    if (fcntl(fd, F_GETFD) >= 0) {
      ask(fd, argv[4]);
      FILE* file = fdopen(fd, "r+");
      fprintf(file, "GET %s-stdio HTTP/1.1\r\nHost: a\r\n\r\n", argv[4]);
      fflush(file);
      receive(fd);
    }
    ask(connected(), "/text?of-its-own");
    return 3;
  }
  int fd = connected(), hidden = connected();
  fcntl(hidden, F_SETFD, FD_CLOEXEC);
  ask(fd, "/text?parent");
  char number[12], hidden_number[12], program[4096] = "";
  snprintf(number, sizeof number, "%d", fd);
  snprintf(hidden_number, sizeof hidden_number, "%d", hidden);
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return 1;
  char* words[] = {program, argv[1], argv[2], number, "/text?started", NULL};
  char* other[] = {program, argv[1], argv[2], hidden_number, "/text?hidden", NULL};
  int status = -1;

  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    execv(program, words);
    _exit(1);
  }
  waitpid(child, &status, 0);
  printf("fork and exec: %d\n", WEXITSTATUS(status));
  ask(fd, "/text?parent-2");
  child = vfork();
  if (child == 0) {
    execv(program, words);
    _exit(1);
  }
  waitpid(child, &status, 0);
  printf("vfork and exec: %d\n", WEXITSTATUS(status));
  posix_spawn(&child, program, NULL, NULL, words, environ);
  waitpid(child, &status, 0);
  printf("posix_spawn: %d\n", WEXITSTATUS(status));
  posix_spawn(&child, program, NULL, NULL, other, environ);
  waitpid(child, &status, 0);
  printf("posix_spawn, close-on-exec: %d\n", WEXITSTATUS(status));
  char command[5000];
  snprintf(command, sizeof command, "'%s' %s %s %d /text?system", program, argv[1], argv[2], fd);
  printf("system: %d\n", WEXITSTATUS(system(command)));
  ask(fd, "/text?parent-3");
  ask(hidden, "/text?parent-4");
  return 0;
}
