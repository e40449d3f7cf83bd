// Under a tight limit of descriptors a connection works, or fails with an error that says so; it is
// never half made.
#include <sys/resource.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  struct rlimit limit = {64, 64};
  show("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
  int fd = connected();
  ask(fd, "/text?1");
  close(fd);
  // Many, one after the other: none may be left behind.
  int well = 0;
  for (int i = 0; i < 200; i++) {
    fd = connected();
    put(fd, get("/text?many"));
    receive_into(fd, answer, sizeof answer);
    well += strstr(answer, "this is /text?many") != NULL;
    close(fd);
  }
  printf("one after the other: %d of 200\n", well);
  return 0;
}
