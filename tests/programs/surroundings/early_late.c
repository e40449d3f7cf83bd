// Requests before main() and behind it: in a constructor and a destructor, of the program or, linked
// into a library (see surroundings.test), before those of libcassette.so and behind them.
#include "tests/programs/descriptors/http.h"

__attribute__((constructor)) static void early(int argc, char** argv) {
  begin(argc, argv);
  printf("constructor: ");
  int fd = connected();
  ask(fd, "/text?constructor");
  close(fd);
}

__attribute__((destructor)) static void late(void) {
  printf("destructor: ");
  int fd = connected();
  ask(fd, "/text?destructor");
  close(fd);
  fflush(stdout);
}

#ifndef LIBRARY
int main(void) {
  printf("main: ");
  int fd = connected();
  ask(fd, "/text?main");
  close(fd);
  return 0;
}
#endif
