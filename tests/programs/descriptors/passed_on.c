// A connection that is passed to another process over a UNIX socket works there.
#include <sys/wait.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  pid_t child = fork();
  char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
  struct iovec piece = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (child == 0) {
    // Connected before this process has any connection of its own.
    show("recvmsg", recvmsg(pair[1], &message, 0));
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    ask(fd, "/text?passed");
    ask(fd, "/text?passed-2");
    exit(0);
  }
  int fd = connected();
  ask(fd, "/text?before");
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(pair[0], &message, 0) != 1) show("sendmsg", -1);
  int status = -1;
  waitpid(child, &status, 0);
  printf("child: %d\n", status);
  ask(fd, "/text?after");
  return 0;
}
