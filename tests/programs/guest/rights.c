// rights PORT STEP...: does one after the other. `get` asks the server on the loopback interface and prints the body; the other
// steps take something from the process, or make another one.
//
//   get                     GET /turn
//   setuid | setuid-number | setfsuid | seteuid    becomes user 65534, by libc or by the system call's number
//   chroot DIR | chroot-number DIR
//   fork                    the rest in a child, whose status becomes this one's
//   exec PROGRAM ...        what is left of the arguments is another program
//   vfork-exec PROGRAM ...  the same in the child of a vfork(), as user 65534
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kNobody = 65534 };

static void need(int result, const char* what) {
  if (result == 0) return;
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

static void get(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  need(connect(fd, (struct sockaddr*)&address, sizeof address), "connect");
  dprintf(fd, "GET /turn HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  char answer[4096];
  size_t size = 0;
  ssize_t got;
  while ((got = read(fd, answer + size, sizeof answer - 1 - size)) > 0) size += (size_t)got;
  answer[size] = '\0';
  const char* body = strstr(answer, "\r\n\r\n");
  printf("%s", body != NULL ? body + 4 : "no answer\n");
  fflush(stdout);
  close(fd);
}

static int status_of(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const int port = atoi(arguments[1]);
  for (char** step = arguments + 2; *step != NULL; ++step) {
    if (strcmp(*step, "get") == 0) get(port);
    if (strcmp(*step, "setuid") == 0) need(setuid(kNobody), *step);
    if (strcmp(*step, "seteuid") == 0) need(seteuid(kNobody), *step);
    if (strcmp(*step, "setuid-number") == 0)
      need((int)syscall(SYS_setresuid, kNobody, kNobody, kNobody), *step);
    if (strcmp(*step, "setfsuid") == 0) setfsuid(kNobody);
    if (strcmp(*step, "chroot") == 0) need(chroot(*++step), "chroot");
    if (strcmp(*step, "chroot-number") == 0) need((int)syscall(SYS_chroot, *++step), "chroot");
    if (strncmp(step[-1], "chroot", 6) == 0) need(chdir("/"), "chdir");
    if (strcmp(*step, "fork") == 0) {
      const pid_t child = fork();
      if (child != 0) return status_of(child);
    }
    if (strcmp(*step, "exec") == 0) {
      execvp(step[1], step + 1);
      need(1, step[1]);
    }
    if (strcmp(*step, "vfork-exec") == 0) {
      const pid_t child = vfork();
      if (child == 0) {
        if (syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) _exit(1);
        execvp(step[1], step + 1);
        _exit(126);
      }
      return status_of(child);
    }
  }
  return 0;
}
