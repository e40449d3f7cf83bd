// Options of the socket level are taken and read back, sizes of buffers are plausible, lingering is
// nobody else's loss.
#include <sys/time.h>
#include "http.h"

static int fd;

static int value_of(int level, int which) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, which, &value, &length) == 0 ? value : -errno;
}

static void options(void) {
  struct linger linger = {-1, -1};
  socklen_t length = sizeof linger;
  show("SO_LINGER", getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
  printf("  on %d, %d s, length %u\n", linger.l_onoff, linger.l_linger, length);
  printf("SO_RCVBUF plausible: %d\n", value_of(SOL_SOCKET, SO_RCVBUF) >= 4096);
  printf("SO_SNDBUF plausible: %d\n", value_of(SOL_SOCKET, SO_SNDBUF) >= 4096);
  printf("SO_RCVLOWAT: %d\n", value_of(SOL_SOCKET, SO_RCVLOWAT));
  printf("SO_PRIORITY: %d\n", value_of(SOL_SOCKET, SO_PRIORITY));
  printf("SO_BROADCAST: %d\n", value_of(SOL_SOCKET, SO_BROADCAST));
  printf("SO_REUSEADDR: %d\n", value_of(SOL_SOCKET, SO_REUSEADDR));
  printf("SO_REUSEPORT: %d\n", value_of(SOL_SOCKET, SO_REUSEPORT));
  printf("SO_DONTROUTE: %d\n", value_of(SOL_SOCKET, SO_DONTROUTE));
  printf("IP_TTL: %d\n", value_of(IPPROTO_IP, IP_TTL));
  printf("IP_TOS: %d\n", value_of(IPPROTO_IP, IP_TOS));
  printf("TCP_MAXSEG plausible: %d\n", value_of(IPPROTO_TCP, TCP_MAXSEG) > 0);
  printf("TCP_CORK: %d\n", value_of(IPPROTO_TCP, TCP_CORK));
  char name[32] = "";
  length = sizeof name;
  show("TCP_CONGESTION", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
  printf("  named: %d\n", name[0] != '\0');
  // As little as there is room for.
  short half = 0x5555;
  length = sizeof half;
  show("a short value", getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &half, &length));
  printf("  length %u\n", length);
  length = 0;
  show("no room", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &half, &length));
  show("no address", getsockopt(fd, SOL_SOCKET, SO_ERROR, NULL, &length));
}

static void set(const char* what, int level, int which, int value) {
  char text[100];
  snprintf(text, sizeof text, "set %s", what);
  show(text, setsockopt(fd, level, which, &value, sizeof value));
}

static void set_all(int on) {
  struct linger linger = {on, 5};
  show("set SO_LINGER", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  set("SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 50000);
  set("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 50000);
  set("SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3);
  set("SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, on);
  set("SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, on);
  set("SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, on);
  set("IP_TTL", IPPROTO_IP, IP_TTL, 77);
  set("IP_TOS", IPPROTO_IP, IP_TOS, 8);
  set("TCP_CORK", IPPROTO_TCP, TCP_CORK, 0);
  set("an unknown option", SOL_SOCKET, 4242, 1);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  puts("before");
  fd = tcp();
  set_all(1);
  options();
  show("connect", connect_fd(fd));
  puts("set before");
  options();
  ask(fd, "/text?1");
  printf("SO_RCVBUF as set: %d\n", value_of(SOL_SOCKET, SO_RCVBUF));
  printf("SO_SNDBUF as set: %d\n", value_of(SOL_SOCKET, SO_SNDBUF));
  close(fd);
  puts("set after");
  fd = connected();
  options();
  set_all(1);
  options();
  printf("SO_RCVBUF as set: %d\n", value_of(SOL_SOCKET, SO_RCVBUF));
  printf("SO_SNDBUF as set: %d\n", value_of(SOL_SOCKET, SO_SNDBUF));
  ask(fd, "/text?2");
  close(fd);

  // Reset by close, with an answer read and with one unread.
  struct linger at_once = {1, 0};
  fd = connected();
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ask(fd, "/text?3");
  show("close", close(fd));
  fd = connected();
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  put(fd, get("/text?4"));
  struct pollfd readable = {fd, POLLIN, 0};
  show("poll", poll(&readable, 1, 10000));
  show("close", close(fd));
  fd = connected();
  ask(fd, "/text?5");
  return 0;
}
