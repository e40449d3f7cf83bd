// What a server gets of urgent data (MSG_OOB, tcp(7)), relayed since the server speaks first: the bytes before it, where the
// mark is, and the urgent byte itself.
#include "both_ends.h"

int main(void) {
  char bytes[16] = "";
  listen_anew(0);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&place, sizeof place) != 0) fail("connect");
  int server = accept(listener, NULL, NULL);
  if (server < 0 || send(server, "220\n", 4, 0) != 4) fail("greeting");
  if (recv(fd, bytes, 4, MSG_WAITALL) != 4) fail("reading the greeting");
  if (send(fd, "QUIT\n", 5, 0) != 5 || send(fd, "ABOR!", 5, MSG_OOB) != 5) fail("send");
  struct pollfd urgent = {server, POLLPRI, 0};
  if (poll(&urgent, 1, 5000) != 1) {
    printf("nothing urgent\n");
    return 1;
  }
  char byte = 0;
  ssize_t got = recv(server, &byte, 1, MSG_OOB);
  printf("urgent: %zd %c\n", got, byte);
  memset(bytes, 0, sizeof bytes);
  got = recv(server, bytes, 9, MSG_WAITALL);
  printf("before: %zd %s, mark %d\n", got, bytes, sockatmark(server));
  return 0;
}
