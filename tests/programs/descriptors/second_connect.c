// A socket connects once.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  show("second connect", connect_fd(fd));
  ask(fd, "/text?1");
  show("third connect", connect_fd(fd));
  ask(fd, "/text?2");
  show("listen", listen(fd, 1));
  show("bind", bind(fd, (struct sockaddr*)&server, sizeof server));
  close(fd);
  show("connect of a closed descriptor", connect_fd(fd));

  // Non-blocking: the second call tells that the first was well.
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  show("connect", connect_fd(fd));
  struct pollfd writable = {fd, POLLOUT, 0};
  show("poll", poll(&writable, 1, 10000));
  // The first call after the connection was made answers 0, and those after it EISCONN.
  connect_fd(fd);
  show("later connect", connect_fd(fd));
  ask(fd, "/text?3");

  // Addresses that are none.
  fd = tcp();
  struct sockaddr_in wrong = server;
  wrong.sin_family = 999;
  show("an unknown family", connect(fd, (struct sockaddr*)&wrong, sizeof wrong));
  show("too short an address", connect(fd, (struct sockaddr*)&server, 4));
  show("then a right one", connect_fd(fd));
  ask(fd, "/text?4");
  return 0;
}
