// getpeername, getsockname and the options that tell what a socket is say what they would of a TCP
// connection.
#include "http.h"

static int fd;

static void name(const char* what, int (*call)(int, struct sockaddr*, socklen_t*), int show_port) {
  struct sockaddr_in address;
  memset(&address, 0x55, sizeof address);
  socklen_t length = sizeof address;
  show(what, call(fd, (struct sockaddr*)&address, &length));
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  printf("  length %u, family %d, address %s", length, address.sin_family, text);
  if (show_port)
    printf(", port %d\n", ntohs(address.sin_port));
  else
    printf(", port %s\n", address.sin_port != 0 ? "some" : "none");

  // A buffer that is too short gets what fits, and is told the length of all.
  memset(&address, 0x55, sizeof address);
  length = 4;
  show("  short", call(fd, (struct sockaddr*)&address, &length));
  printf("  length %u, family %d, beyond it %x\n", length, address.sin_family,
         address.sin_addr.s_addr);
  length = 0;
  show("  none", call(fd, (struct sockaddr*)&address, &length));
  printf("  length %u\n", length);
}

static void option(const char* what, int which) {
  int value = -1;
  socklen_t length = sizeof value;
  int result = getsockopt(fd, SOL_SOCKET, which, &value, &length);
  printf("%s: %d, %d, length %u\n", what, result, value, length);
}

static void options(void) {
  option("SO_DOMAIN", SO_DOMAIN);
  option("SO_TYPE", SO_TYPE);
  option("SO_PROTOCOL", SO_PROTOCOL);
  option("SO_ACCEPTCONN", SO_ACCEPTCONN);
  option("SO_ERROR", SO_ERROR);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  fd = tcp();
  options();
  name("getpeername before", getpeername, 1);
  show("connect", connect_fd(fd));
  options();
  name("getpeername", getpeername, 1);
  name("getsockname", getsockname, 0);
  ask(fd, "/text");
  name("getpeername after an answer", getpeername, 1);
  int copy = dup(fd);
  close(fd);
  fd = copy;
  name("getpeername of a copy", getpeername, 1);
  options();

  // Recv functions give no address for a connected stream.
  put(fd, get("/text"));
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  printf("recvfrom: %d",
         recvfrom(fd, answer, sizeof answer, 0, (struct sockaddr*)&address, &length) > 0);
  printf(", length %u\n", length);
  return 0;
}
