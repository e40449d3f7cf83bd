// Every call that sends bytes on a connection sends a request.
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  const char* text = get("/text?send");
  show("send", send(fd, text, strlen(text), 0));
  receive(fd);
  text = get("/text?nosignal");
  show("send MSG_NOSIGNAL", send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT));
  receive(fd);
  // The address is ignored on a connection.
  struct sockaddr_in elsewhere = {
      .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000002)};
  text = get("/text?sendto");
  show("sendto", sendto(fd, text, strlen(text), 0, (struct sockaddr*)&elsewhere, sizeof elsewhere));
  receive(fd);

  struct iovec pieces[] = {
      {"GET /text?", 10}, {NULL, 0}, {"pieces", 6}, {" HTTP/1.1\r\nHost: a\r\n\r\n", 22}};
  show("writev", writev(fd, pieces, 4));
  receive(fd);
  struct msghdr message = {
      .msg_name = &elsewhere, .msg_namelen = sizeof elsewhere, .msg_iov = pieces, .msg_iovlen = 4};
  show("sendmsg", sendmsg(fd, &message, 0));
  receive(fd);
  struct mmsghdr messages[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
  show("sendmmsg", sendmmsg(fd, messages, 3, 0));
  printf("lengths: %u %u %u\n", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
  for (int i = 0; i < 3; i++) receive(fd);

  text = get("/text?more");
  for (size_t i = 0; i < strlen(text); i++)
    send(fd, text + i, 1, i + 1 < strlen(text) ? MSG_MORE : 0);
  receive(fd);
  text = get("/text?bytes");
  for (size_t i = 0; i < strlen(text); i++) write(fd, text + i, 1);
  receive(fd);

  // Past the hooks: a system call by its number, and bytes that the kernel moves.
  text = get("/text?syscall");
  show("syscall", syscall(SYS_write, fd, text, strlen(text)));
  receive(fd);
  put(fd, post("/echo?sendfile", 100000));
  FILE* file = tmpfile();
  for (int i = 0; i < 100000; i++) putc('x', file);
  fflush(file);
  off_t offset = 0;
  while (offset < 100000 && sendfile(fd, fileno(file), &offset, 100000 - (size_t)offset) > 0)
    continue;
  show("sendfile", offset);
  receive(fd);
  text = get("/text?last");
  show("write", write(fd, text, strlen(text)));
  receive(fd);
  show("nothing", write(fd, text, 0));
  ask(fd, "/text?end");
  return 0;
}
