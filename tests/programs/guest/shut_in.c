// Shuts itself in before its first connection, in the way that is asked for, and makes a request then.
//   shut_in WAY PORT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/programs/guest/past_libc.h"

static int get(int port, const char* way) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char text[4096];
  size_t size = 0;
  ssize_t got;
  if (connect(fd, (void*)&address, sizeof address) != 0) {
    printf("connect: %s\n", strerror(errno));
    return 1;
  }
  dprintf(fd, "GET /turn?%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", way);
  while ((got = read(fd, text + size, sizeof text - 1 - size)) > 0) size += got;
  text[size] = 0;
  char* body = strstr(text, "\r\n\r\n");
  printf("%s", body != NULL ? body + 4 : "no answer\n");
  return 0;
}

// seccomp(2): these calls do what `action` says, all others what `otherwise` says.
static void filter_calls(const int* calls, unsigned count, unsigned action, unsigned otherwise, int by_number) {
  struct sock_filter filter[64];
  unsigned n = 0;
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < count; ++i) {
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
  }
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
  struct sock_fprog program = {.len = n, .filter = filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long result = by_number ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
                          : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
  if (result != 0) perror("seccomp");
}

#define COUNT(list) (sizeof(list) / sizeof *(list))
static const int threads[] = {SYS_clone, SYS_clone3};
static const int files[] = {SYS_openat, SYS_openat2,
#ifdef SYS_open
                            SYS_open, SYS_stat, SYS_access,
#endif
                            SYS_faccessat};
// What a client needs, as a strict program lists it.
static const int needed[] = {SYS_read, SYS_write, SYS_close, SYS_socket, SYS_connect, SYS_getsockopt, SYS_futex, SYS_mmap,
                             SYS_munmap, SYS_brk, SYS_newfstatat, SYS_fstat, SYS_rt_sigprocmask, SYS_exit_group, SYS_getpid,
                             SYS_gettid, SYS_getrandom, SYS_lseek};
static const int events[] = {SYS_epoll_create1, SYS_eventfd2};

static void limit(int resource, rlim_t value) {
  struct rlimit limits = {value, value};
  if (setrlimit(resource, &limits) != 0) perror("setrlimit");
}

static void landlock(void) {
  struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                                                  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR};
  int rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (rules < 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0) perror("landlock");
  close(rules);
}

static void enter_root(void) {
  mkdir("empty", 0755);
  if (chroot("empty") != 0 || chdir("/") != 0) perror("chroot");
}

static void become_nobody(void) {
  if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0) perror("setuid");
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const char* way = arguments[1];
  setvbuf(stdout, NULL, _IONBF, 0);
  if (strcmp(way, "threads") == 0) {
    become_nobody();
    limit(RLIMIT_NPROC, 0);
  } else if (strcmp(way, "unseen") == 0) {
    struct rlimit none = {0, 0};
    if (past_libc(SYS_setuid, 65534, 0, 0, 0) != 0 || past_libc(SYS_prlimit64, 0, RLIMIT_NPROC, (long)&none, 0) != 0) perror("unseen");
  } else if (strcmp(way, "root") == 0) {
    enter_root();
  } else if (strcmp(way, "root-user-threads") == 0) {
    limit(RLIMIT_NPROC, 0);
    enter_root();
    become_nobody();
  } else if (strcmp(way, "landlock") == 0) {
    landlock();
  } else if (strcmp(way, "seccomp-threads") == 0) {
    filter_calls(threads, COUNT(threads), SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW, 0);
  } else if (strcmp(way, "seccomp-threads-kill") == 0) {
    filter_calls(threads, COUNT(threads), SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW, 1);
  } else if (strcmp(way, "seccomp-files") == 0) {
    filter_calls(files, COUNT(files), SECCOMP_RET_ERRNO | EACCES, SECCOMP_RET_ALLOW, 1);
  } else if (strcmp(way, "seccomp-events-kill") == 0) {
    filter_calls(events, COUNT(events), SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW, 0);
  } else if (strcmp(way, "seccomp-needed-alone") == 0) {
    filter_calls(needed, COUNT(needed), SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, 1);
  } else if (strcmp(way, "data") == 0) {
    limit(RLIMIT_DATA, 1 << 20);
  } else if (strcmp(way, "descriptors") == 0) {
    limit(RLIMIT_NOFILE, 8);
  }
  return get(atoi(arguments[2]), way);
}
