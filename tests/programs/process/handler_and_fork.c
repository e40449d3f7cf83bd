// A signal handler that writes to a connection while the program forks, and one that forks while the program writes:
// what either interrupts may be held for the fork, or by the write.
#include <sys/wait.h>
#include "tests/programs/process/alarms.h"

enum { kRequests = 100 };
static volatile sig_atomic_t writes, forks, gone_wrong;
static int fd;
static const char kRequest[] = "GET /text?handler HTTP/1.1\r\nHost: a\r\n\r\n";

static void fork_once(void) {
  pid_t child = fork();
  if (child == 0) {
    // It asks as well, where the program asks nothing: on a connection that ends with it.
    if (send(fd, "", 0, 0) < 0) _exit(2);
    _exit(0);
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) gone_wrong++;
}

static void on_alarm(int signal) {
  (void)signal;
  int saved = errno;
  if (writes > 0 && write(fd, kRequest, sizeof kRequest - 1) > 0) writes--;
  if (forks > 0) {
    forks--;
    fork_once();
  }
  errno = saved;
}

static int answers(const char* wanted) {
  int well = 0;
  for (int i = 0; i < kRequests; i++) {
    receive_into(fd, answer, sizeof answer);
    well += strstr(answer, wanted) != NULL;
  }
  return well;
}

int main(int argc, char** argv) {
  begin_alarmed(argc, argv, 30);
  fd = connected();

  writes = kRequests;
  alarms(SA_RESTART, 150);
  while (writes > 0) fork_once();
  alarms(0, 0);
  printf("written by the handler: %d\n", answers("this is /text?handler\n"));

  forks = 50;
  alarms(SA_RESTART, 150);
  for (int i = 0; i < kRequests; i++) put(fd, get("/text?program"));
  while (forks > 0) pause();
  alarms(0, 0);
  printf("written by the program: %d\n", answers("this is /text?program\n"));
  printf("children that went wrong: %d\n", gone_wrong);
  return 0;
}
