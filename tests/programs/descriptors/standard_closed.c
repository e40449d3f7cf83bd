// With stdin and stderr closed, the program's own descriptors get those numbers, and no private one
// does.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  close(0);
  close(2);
  int fd = tcp();
  printf("socket: %d\n", fd);
  show("connect", connect_fd(fd));
  ask(fd, "/text?1");
  int other = open("/dev/null", O_WRONLY);
  printf("file: %d\n", other);
  show("write to the file", write(other, "x", 1));
  ask(fd, "/text?2");
  close(fd);
  int second = connected();
  printf("second socket: %d\n", second);
  ask(second, "/text?3");
  close(other);
  int third = connected();
  printf("third socket: %d\n", third);
  ask(third, "/text?4");
  printf("next file: %d\n", open("/dev/null", O_RDONLY));
  return 0;
}
