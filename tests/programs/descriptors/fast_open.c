// TCP Fast Open connects and asks in one call. Where it is not supported, programs fall back to
// connect: either way there is an answer.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = tcp();
  const char* text = get("/text?sendto");
  ssize_t n =
      sendto(fd, text, strlen(text), MSG_FASTOPEN, (struct sockaddr*)&server, sizeof server);
  if (n < 0) {
    close(fd);
    fd = connected();
    n = 0;
  }
  put(fd, text + n);
  receive(fd);
  ask(fd, "/text?next");
  close(fd);

  fd = tcp();
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  show("connect", connect_fd(fd));
  ask(fd, "/text?connect");
  ask(fd, "/text?next");
  return 0;
}
