// Jumps out of calls that the library stands in front of, and asks the origin afterwards.
//
//   jumps connect|getaddrinfo|gethostbyname|again|cancel|stress ORIGIN-PORT [HOLE-PORT|NAME]
//
// Prints what became of the calls, and the origin's answers. The same with and without the library.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static sigjmp_buf back;
static const char *what, *place;
static volatile sig_atomic_t jumps;

static void on_alarm(int number) {
  (void)number;
  jumps++;
  siglongjmp(back, 1);
}

static void timer(long first, long each) {
  struct itimerval value = {{0, each}, {0, first}};
  setitimer(ITIMER_REAL, &value, NULL);
}

static struct sockaddr_in at(const char* port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((unsigned short)atoi(port)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static volatile int asking = -1;

// Nothing in here but system calls: a jump out of malloc() would break any program.
static int ask(const char* port, const char* path, char* answer, size_t room) {
  struct sockaddr_in address = at(port);
  int fd = asking = socket(AF_INET, SOCK_STREAM, 0);
  size_t size = 0;
  ssize_t got;
  char request[256] = "GET ";
  strcat(strcat(request, path), " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  answer[0] = '\0';
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) {
    close(fd);
    return -1;
  }
  send(fd, request, strlen(request), MSG_NOSIGNAL);
  while ((got = read(fd, answer + size, room - 1 - size)) > 0) size += (size_t)got;
  answer[size] = '\0';
  asking = -1;
  close(fd);
  return 0;
}

static void get(const char* port, const char* path) {
  char answer[4096];
  if (ask(port, path, answer, sizeof answer) != 0) printf("%s ", strerrorname_np(errno));
  const char* body = strstr(answer, "\r\n\r\n");
  printf("%s: %s", path, body != NULL ? body + 4 : answer);
  if (body == NULL || body[4] == '\0') printf("(nothing)\n");
  fflush(stdout);
}

static void wait_in_it(void) {
  if (strcmp(what, "getaddrinfo") == 0) {
    struct addrinfo* list;
    getaddrinfo(place, "80", NULL, &list);
  } else if (strcmp(what, "gethostbyname") == 0) {
    struct hostent entry, *found;
    char buffer[4096];
    int error;
    gethostbyname_r(place, &entry, buffer, sizeof buffer, &found, &error);
  } else {
    struct sockaddr_in address = at(place);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0 &&
        strcmp(what, "again") == 0) {
      connect(fd, (struct sockaddr*)&address, sizeof address);
    }
  }
}

static void ignore(int number) { (void)number; }

/// One signal interrupts the first connect(), the next one is jumped out of in the second.
static void interrupt_first(int number) {
  struct sigaction action = {.sa_handler = on_alarm};
  (void)number;
  sigaction(SIGALRM, &action, NULL);
}

static void* in_thread(void* unused) {
  (void)unused;
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
  wait_in_it();
  return NULL;
}

static void cancelled(const char* as) {
  pthread_t thread;
  void* result;
  what = as;
  pthread_create(&thread, NULL, in_thread, NULL);
  usleep(100000);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  printf("%s: %s\n", as, result == PTHREAD_CANCELED ? "cancelled" : "came back");
}

static void stress(const char* port) {
  char answer[4096];
  struct timespec now, end;
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += 1;
  if (sigsetjmp(back, 1) == 0) {
    timer(300, 230);
  } else if (asking >= 0) {
    close(asking);
  }
  asking = -1;
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec > end.tv_nsec)) break;
    ask(port, "/turn", answer, sizeof answer);
  }
  timer(0, 0);
  signal(SIGALRM, SIG_IGN);
  printf("jumped: %s\n", jumps > 100 ? "often" : "hardly");
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  what = argv[1];
  place = argc > 3 ? argv[3] : argv[2];
  alarm(0);
  if (strcmp(what, "stress") == 0) {
    stress(argv[2]);
  } else if (strcmp(what, "cancel") == 0) {
    cancelled("connect");
    signal(SIGUSR1, ignore);
  } else {
    for (volatile int turn = 0; turn < 3; turn++) {
      struct sigaction action = {.sa_handler =
                                     strcmp(what, "again") == 0 ? interrupt_first : on_alarm};
      sigaction(SIGALRM, &action, NULL);
      if (sigsetjmp(back, 1) == 0) {
        timer(60000, 60000);
        wait_in_it();
        timer(0, 0);
        printf("came back\n");
      } else {
        timer(0, 0);
        printf("jumped out of %s\n", what);
      }
    }
  }
  get(argv[2], "/after");
  get(argv[2], "/and-again");
  return 0;
}
