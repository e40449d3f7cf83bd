// A signal handler writes to a connection, as it may, while the program allocates memory: what it
// interrupts may hold the allocator's lock.
#include "tests/programs/process/alarms.h"

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
  begin_alarmed(argc, argv, 20);
  fd = connected();
  alarms(SA_RESTART, 200);
  void* kept[64] = {NULL};
  for (unsigned i = 0; budget > 0; i++) {
    free(kept[i % 64]);
    kept[i % 64] = malloc(1 + i * 2654435761U % 5000);
  }
  alarms(0, 0);
  int well = 0;
  for (int i = 0; i < kRequests; i++) {
    receive_into(fd, answer, sizeof answer);
    well += strstr(answer, "this is /text?handler\n") != NULL;
  }
  printf("%d of %d\n", well, kRequests);
  return 0;
}
