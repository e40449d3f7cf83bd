// Options of TCP that are set are read back, before the connection is made and after.
#include "http.h"

static int fd;

static void set(const char* what, int level, int which, int value) {
  char text[100];
  snprintf(text, sizeof text, "set %s", what);
  show(text, setsockopt(fd, level, which, &value, sizeof value));
}

static void option(const char* what, int level, int which) {
  int value = -1;
  socklen_t length = sizeof value;
  if (getsockopt(fd, level, which, &value, &length) != 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %d, length %u\n", what, value, length);
}

static void options(void) {
  option("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY);
  option("TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE);
  option("TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL);
  option("TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT);
  option("TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT);
  option("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE);
  option("SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR);
  option("SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE);
  option("SO_LINGER (too short)", SOL_SOCKET, 12345);
  option("IP_TOS", IPPROTO_IP, IP_TOS);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  fd = tcp();
  options();
  set("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1);
  set("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1);
  set("TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77);
  set("IP_TOS", IPPROTO_IP, IP_TOS, 0x10);
  show("connect", connect_fd(fd));
  options();
  set("TCP_NODELAY off", IPPROTO_TCP, TCP_NODELAY, 0);
  set("TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 33);
  set("TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 3);
  set("TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
  set("TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK, 1);
  options();
  ask(fd, "/text");
  struct tcp_info info;
  socklen_t length = sizeof info;
  memset(&info, 0, sizeof info);
  show("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
  printf("established: %d\n", info.tcpi_state == TCP_ESTABLISHED);
  set("an option of UDP", 17, 1, 1);
  return 0;
}
