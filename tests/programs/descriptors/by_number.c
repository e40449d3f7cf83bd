// System calls by their number, by way of syscall(2): connections made, asked about and closed so. Others pass, with
// all of their arguments.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "http.h"

static void names(int fd) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  show("getpeername", (int)syscall(SYS_getpeername, fd, &address, &length));
  printf("%s %d %u\n", inet_ntoa(address.sin_addr), address.sin_port == server.sin_port, length);
  int type = 0, error = -1, on = 1;
  length = sizeof type;
  show("getsockopt", (int)syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &type, &length));
  syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &length);
  printf("protocol %d, error %d\n", type, error);
  show("setsockopt", (int)syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  on = 0;
  syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &on, &length);
  printf("nodelay %d\n", on);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
  show("connect", (int)syscall(SYS_connect, fd, &server, sizeof server));
  show("connect again", (int)syscall(SYS_connect, fd, &server, sizeof server));
  names(fd);
  const char* request = get("/text?sendto");
  syscall(SYS_sendto, fd, request, strlen(request), MSG_NOSIGNAL, NULL, 0);
  receive(fd);
  request = get("/text?write");
  syscall(SYS_write, fd, request, strlen(request));
  receive(fd);
  int copy = (int)syscall(SYS_dup, fd);
  show("close", (int)syscall(SYS_close, fd));
  struct iovec part = {(void*)(request = get("/text?sendmsg")), strlen(request)};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  syscall(SYS_sendmsg, copy, &message, 0);
  receive(copy);
  show("close_range", (int)syscall(SYS_close_range, copy, copy, 0));
  show("close", (int)syscall(SYS_close, copy));

  // A child that begins by number asks on its own, and has the library.
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (argc > 3) _exit(3);
    char* arguments[] = {argv[0], argv[1], argv[2], "child", NULL};
    syscall(SYS_execve, argv[0], arguments, environ);
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  printf("child %d\n", argc > 3 ? 0 : WEXITSTATUS(status) == 0 && WIFEXITED(status));

  // Six arguments, an error, and what is none.
  char* page = (char*)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[4095] = 1;
  show("munmap", (int)syscall(SYS_munmap, page, 4096));
  printf("getpid %d\n", syscall(SYS_getpid) == getpid());
  show("a bad descriptor", (int)syscall(SYS_connect, 777, &server, sizeof server));
  show("close", (int)syscall(SYS_close, 777));
  show("no such number", (int)syscall(4000));
  int word = 1;
  show("futex", (int)syscall(SYS_futex, &word, FUTEX_WAIT, 2, NULL, NULL, 0));
  return 0;
}
