// Peeking twice, waiting for all, scattered reading, and many messages, over answers of any size.
#include <sys/ioctl.h>
#include "http.h"

static char large[1 << 20];

static void skip_head(int fd) {
  char text[2048];
  size_t n = 0;
  while (n < sizeof text - 1 && (n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4) != 0))
    if (recv(fd, text + n++, 1, 0) != 1) break;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  put(fd, get("/text?size=700000"));
  skip_head(fd);
  show("MSG_WAITALL", recv(fd, large, 700000, MSG_WAITALL));
  printf("%.28s %c\n", large, large[699999]);
  show("MSG_DONTWAIT", recv(fd, large, 1, MSG_DONTWAIT));
  show("MSG_DONTWAIT and MSG_PEEK", recv(fd, large, 1, MSG_DONTWAIT | MSG_PEEK));

  put(fd, get("/text?size=300000"));
  skip_head(fd);
  memset(large, 0, sizeof large);
  for (int i = 0; i < 2; i++)
    show("MSG_PEEK and MSG_WAITALL", recv(fd, large, 1000, MSG_PEEK | MSG_WAITALL));
  struct iovec pieces[] = {
      {large, 7}, {large + 7, 0}, {large + 7, 99993}, {large + 100000, 200000}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 4};
  show("recvmsg MSG_WAITALL", recvmsg(fd, &message, MSG_WAITALL));
  printf("%.28s %c, flags %d\n", large, large[299999], message.msg_flags & ~MSG_WAITALL);

  put(fd, get("/text?size=50000"));
  skip_head(fd);
  size_t n = 0;
  while (n < 50000) {
    struct iovec parts[] = {{large + n, 100}, {large + n + 100, 50000}};
    ssize_t got = readv(fd, parts, 2);
    if (got <= 0) break;
    n += (size_t)got;
  }
  printf("readv: %zu, %.27s %c\n", n, large, large[49999]);

  put(fd, get("/text?size=10"));
  skip_head(fd);
  struct pollfd readable = {fd, POLLIN, 0};
  show("poll", poll(&readable, 1, 10000));
  show("recv of nothing", recv(fd, large, 0, MSG_DONTWAIT));
  struct iovec small[] = {{large, 5}, {large + 5, 5}};
  struct mmsghdr messages[] = {{.msg_hdr = {.msg_iov = small, .msg_iovlen = 1}},
                               {.msg_hdr = {.msg_iov = small + 1, .msg_iovlen = 1}}};
  show("recvmmsg", recvmmsg(fd, messages, 2, MSG_WAITALL, NULL));
  printf("%u %u %.10s\n", messages[0].msg_len, messages[1].msg_len, large);
  while (recv(fd, large, sizeof large, MSG_DONTWAIT) > 0) continue;

  ask(fd, "/text?again");
  int on = 1;
  show("FIONBIO", ioctl(fd, FIONBIO, &on));
  printf("non-blocking: %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  show("read", read(fd, large, 1));
  on = 0;
  show("FIONBIO", ioctl(fd, FIONBIO, &on));
  int there = -1;
  show("FIONREAD", ioctl(fd, FIONREAD, &there));
  printf("%d bytes\n", there);
  put(fd, "GET /text?end HTTP/1.0\r\n\r\n");
  receive(fd);
  show_end(fd);
  show("MSG_WAITALL at the end", recv(fd, large, 10, MSG_WAITALL));
  show("MSG_PEEK at the end", recv(fd, large, 10, MSG_PEEK));
  return 0;
}
