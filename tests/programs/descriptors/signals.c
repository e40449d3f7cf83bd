// A signal interrupts a call as it would with any connection, and a storm of signals disturbs no
// request.
#include <signal.h>
#include <sys/time.h>
#include "http.h"

static volatile sig_atomic_t fired;

static void on_alarm(int signal) {
  (void)signal;
  fired++;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  alarm(0);
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  int fd = connected();
  struct itimerval timer = {{0, 0}, {0, 100000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  char byte;
  show("read", read(fd, &byte, 1));
  printf("fired: %d\n", (int)fired);

  // A storm of signals while requests go round, with calls that start again.
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  timer.it_interval.tv_usec = 500;
  timer.it_value.tv_usec = 500;
  setitimer(ITIMER_REAL, &timer, NULL);
  int well = 0;
  for (int i = 0; i < 200; i++) {
    char path[32], wanted[64];
    snprintf(path, sizeof path, "/text?storm-%d", i);
    snprintf(wanted, sizeof wanted, "this is %s\n", path);
    put(fd, get(path));
    receive_into(fd, answer, sizeof answer);
    well += strstr(answer, wanted) != NULL;
  }
  memset(&timer, 0, sizeof timer);
  setitimer(ITIMER_REAL, &timer, NULL);
  printf("in a storm: %d of 200\n", well);
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  printf("blocked: %d\n", sigismember(&blocked, SIGALRM));
  return 0;
}
