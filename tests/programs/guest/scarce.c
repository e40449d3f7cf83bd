// For guest_scarce.test: a client that takes from itself what the library would like to have, and asks then.
//
//   scarce HOW NUMBER ADDRESS PORT [PATH...]
//     as, data, nofile   no more than so many KB of address space or data, or so many descriptors (setrlimit(2))
//     nproc              no further process or thread (not for the superuser)
//     deny               system calls fail with that errno: clone, eventfd2, epoll_create1 (seccomp(2))
//     none               nothing
// And then it executes itself with `none`, so that nothing can be got ready before; but for nproc, with which that fails.
// Prints the bodies' sizes, and the errors.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/programs/descriptors/http.h"
#include "tests/programs/guest/past_libc.h"

static void limit(int what, rlim_t most) {
  struct rlimit limit = {most, most};
  if (setrlimit(what, &limit) != 0) exit(3);
}

static void deny(int error) {
  enum { kNumber = offsetof(struct seccomp_data, nr) };
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_eventfd2, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_create1, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    exit(3);
}

static void want(const char* path) {
  int fd = tcp();
  if (fd < 0 || connect_fd(fd) != 0) {
    printf("%s: %s\n", path, strerrorname_np(errno));
    if (fd >= 0) close(fd);
    return;
  }
  char text[600];
  int length =
      snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
  if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length)
    printf("send: %s\n", strerrorname_np(errno));
  static char bytes[65536];
  size_t size = 0;
  ssize_t got;
  int status = 0;
  while ((got = recv(fd, bytes, sizeof bytes - 1, 0)) > 0) {
    bytes[got] = '\0';
    if (size == 0) sscanf(bytes, "HTTP/1.1 %d", &status);
    size += (size_t)got;
  }
  printf("%s: %d, %s%s\n", path, status,
         size > 100000 ? "large"
         : size > 0    ? "small"
                       : "empty",
         got < 0 ? strerrorname_np(errno) : "");
  close(fd);
}

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const rlim_t number = (rlim_t)atoi(argv[2]);
  begin(argc - 2, argv + 2);
  if (strcmp(argv[1], "as") == 0) limit(RLIMIT_AS, number * 1024);
  if (strcmp(argv[1], "data") == 0) limit(RLIMIT_DATA, number * 1024);
  if (strcmp(argv[1], "nofile") == 0) limit(RLIMIT_NOFILE, number);
  if (strcmp(argv[1], "nproc") == 0) {
    const struct rlimit nothing = {0, 0};
    if (past_libc(SYS_prlimit64, 0, RLIMIT_NPROC, (long)&nothing, 0) != 0) return 3;
  }
  if (strcmp(argv[1], "deny") == 0) deny((int)number);
  if (strcmp(argv[1], "none") != 0 && strcmp(argv[1], "nproc") != 0) {
    argv[1] = (char*)"none";
    execv("/proc/self/exe", argv);
    return 4;
  }
  for (int i = 5; i < argc; ++i) want(argv[i]);
  return 0;
}
