// A client that ends its sending still gets its answers, then the end; and cannot send any more.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  put(fd, get("/text?1"));
  put(fd, get("/text?2"));
  show("shutdown", shutdown(fd, SHUT_WR));
  receive(fd);
  receive(fd);
  show_end(fd);
  show("send", send(fd, "x", 1, MSG_NOSIGNAL));
  close(fd);

  // The server ends its sending: the rest is read, then the end, and again the end.
  fd = connected();
  put(fd, "GET /text?close HTTP/1.0\r\n\r\n");
  receive(fd);
  show_end(fd);
  show_end(fd);
  close(fd);

  fd = connected();
  ask(fd, "/text?3");
  show("shutdown of both", shutdown(fd, SHUT_RDWR));
  show_end(fd);
  show("shutdown with a wrong value", shutdown(fd, 9));
  close(fd);

  fd = tcp();
  show("shutdown before connect", shutdown(fd, SHUT_WR));
  close(fd);

  // Closed with an answer unread: the next connection is not disturbed.
  fd = connected();
  put(fd, get("/big"));
  struct pollfd readable = {fd, POLLIN, 0};
  show("poll", poll(&readable, 1, 10000));
  close(fd);
  fd = connected();
  ask(fd, "/text?4");
  return 0;
}
