// What a program sees of its own signal handlers: how they were installed, by each of libc's functions, and how they are called,
// before and behind its first connection. Prints the same with and without the library.
//
//   handlers ORIGIN-PORT
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
extern sighandler_t bsd_signal(int number, sighandler_t handler);

static volatile sig_atomic_t calls, value, code;

static void one(int number) {
  (void)number;
  calls++;
}
static void other(int number) {
  (void)number;
  calls += 100;
}
static void with_info(int number, siginfo_t* info, void* context) {
  (void)number;
  calls += context != NULL ? 10 : 0;
  value = info->si_value.sival_int;
  code = info->si_code;
}

static const char* name_of(sighandler_t handler) {
  return handler == SIG_DFL                   ? "default"
         : handler == SIG_IGN                 ? "ignored"
         : handler == SIG_ERR                 ? "error"
         : handler == SIG_HOLD                ? "held"
         : handler == one                     ? "one"
         : handler == other                   ? "other"
         : handler == (sighandler_t)with_info ? "with_info"
                                              : "somebody else's";
}

static void show(const char* what) {
  struct sigaction now;
  sigaction(SIGUSR1, NULL, &now);
  printf("%s: %s%s%s%s%s%s\n", what, name_of(now.sa_handler),
         now.sa_flags & SA_SIGINFO ? " SIGINFO" : "", now.sa_flags & SA_RESTART ? " RESTART" : "",
         now.sa_flags & (int)SA_RESETHAND ? " RESETHAND" : "",
         now.sa_flags & SA_NODEFER ? " NODEFER" : "",
         sigismember(&now.sa_mask, SIGUSR2) ? " mask" : "");
}

static void hit(void) {
  union sigval with = {.sival_int = 42};
  calls = value = code = 0;
  sigqueue(getpid(), SIGUSR1, with);
  printf("  calls %d value %d code %d\n", (int)calls, (int)value, (int)code);
}

static void all(void) {
  struct sigaction action = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
  sigaddset(&action.sa_mask, SIGUSR2);
  show("at first");
  printf("signal: was %s\n", name_of(signal(SIGUSR1, one)));
  show("signal");
  hit();
  sigaction(SIGUSR1, &action, &old);
  printf("sigaction: was %s\n", name_of(old.sa_handler));
  show("sigaction");
  hit();
  printf("sigset: was %s\n", name_of(sigset(SIGUSR1, other)));
  show("sigset");
  hit();
  printf("sigset: was %s\n", name_of(sigset(SIGUSR1, SIG_HOLD)));
  printf("sigset: was %s\n", name_of(sigset(SIGUSR1, one)));
  hit();
  siginterrupt(SIGUSR1, 1);
  show("siginterrupt");
  printf("bsd_signal: was %s\n", name_of(bsd_signal(SIGUSR1, other)));
  show("bsd_signal");
  siginterrupt(SIGUSR1, 0);
  show("siginterrupt");
  printf("sysv_signal: was %s\n", name_of(sysv_signal(SIGUSR1, one)));
  show("sysv_signal");
  hit();
  show("afterwards");
  printf("signal: was %s\n", name_of(signal(SIGUSR1, SIG_IGN)));
  show("signal");
  hit();
  printf("signal: was %s\n", name_of(signal(SIGKILL, one)));
  printf("signal: was %s\n", name_of(signal(1000, one)));
  printf("sigaction: %d %s\n", sigaction(SIGSTOP, &action, NULL), strerrorname_np(errno));
  action.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND);
  sigaction(SIGUSR1, &action, NULL);
  show("sigaction");
  hit();
  show("afterwards");
  signal(SIGUSR1, one);
  pid_t child = vfork();  // which has our memory, and handlers of its own
  if (child == 0) {
    signal(SIGUSR1, SIG_DFL);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  show("behind a vfork");
  hit();
  child = fork();
  if (child == 0) {
    show("in a fork");
    hit();
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  all();
  struct sockaddr_in origin = {.sin_family = AF_INET,
                               .sin_port = htons((unsigned short)atoi(argv[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  printf("connect: %d\n", connect(fd, (struct sockaddr*)&origin, sizeof origin));
  show("behind it");
  hit();
  signal(SIGUSR1, SIG_DFL);
  all();
  return 0;
}
