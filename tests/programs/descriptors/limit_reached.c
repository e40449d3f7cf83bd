// The limit of descriptors is reached in the middle: a call says so, what was connected goes on, and
// when there is room again, there are new connections.
#include <sys/resource.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  struct rlimit limit = {100, 100};
  show("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
  ask(connected(), "/text?1");
  // How many fit is another matter: the library needs some for itself.
  int made[100], count = 0, error = 0;
  for (;;) {
    int fd = tcp();
    if (fd < 0 || connect_fd(fd) != 0) {
      error = errno;
      if (fd >= 0) close(fd);
      break;
    }
    made[count++] = fd;
  }
  printf("enough: %d, then %s\n", count >= 20, strerrorname_np(error));
  int well = 0;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 20; i++) {
      put(made[i], get("/text?full"));
      receive_into(made[i], answer, sizeof answer);
      well += strstr(answer, "this is /text?full") != NULL;
    }
  }
  printf("answers: %d of 40\n", well);
  for (int i = 0; i < count; i++) close(made[i]);
  well = 0;
  for (int i = 0; i < 20; i++) {
    made[i] = connected();
    put(made[i], get("/text?again"));
    receive_into(made[i], answer, sizeof answer);
    well += strstr(answer, "this is /text?again") != NULL;
  }
  printf("afterwards: %d of 20\n", well);
  return 0;
}
