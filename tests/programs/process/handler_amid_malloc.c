// A signal handler writes to a connection, as it may, while the program allocates memory: what it
// interrupts may hold the allocator's lock.
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include "tests/programs/descriptors/http.h"

enum { kRequests = 300 };
static volatile sig_atomic_t budget = kRequests;
static int fd;
static const char kRequest[] = "GET /text?handler HTTP/1.1\r\nHost: a\r\n\r\n";

static void on_alarm(int signal) {
  (void)signal;
  if (budget == 0) return;
  budget--;
  if (write(fd, kRequest, sizeof kRequest - 1) < 0) abort();
}

int main(int argc, char** argv) {
  begin(argc, argv);
  alarm(0);  // the same timer
  timer_t watchdog;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
  struct itimerspec end = {{0, 0}, {20, 0}};
  timer_create(CLOCK_MONOTONIC, &event, &watchdog);
  timer_settime(watchdog, 0, &end, NULL);
  fd = connected();
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 200}, {0, 200}}, none = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &timer, NULL);
  void* kept[64] = {NULL};
  for (unsigned i = 0; budget > 0; i++) {
    free(kept[i % 64]);
    kept[i % 64] = malloc(1 + i * 2654435761U % 5000);
  }
  setitimer(ITIMER_REAL, &none, NULL);
  int well = 0;
  for (int i = 0; i < kRequests; i++) {
    receive_into(fd, answer, sizeof answer);
    well += strstr(answer, "this is /text?handler\n") != NULL;
  }
  printf("%d of %d\n", well, kRequests);
  return 0;
}
