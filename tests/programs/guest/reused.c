// A thread is in connect() while another one takes the number away: by close() and open(), by dup2() (how Java interrupts one), or by
// close() alone. Prints what the file has afterwards, and what connect() said.
//
//   reused FILE
//   reused FILE PORT      the number changes hands all the time: what is put there stays there
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sockaddr_in place;
static int fd;

static void* connect_it(void* unused) {
  (void)unused;
  int status = connect(fd, (struct sockaddr*)&place, sizeof place);
  printf("connect: %s\n", status == 0 ? "0" : strerrorname_np(errno));
  return NULL;
}

static void once(const char* file, int way) {
  socklen_t length = sizeof place;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  place.sin_port = 0;
  bind(listener, (struct sockaddr*)&place, sizeof place);
  listen(listener, 0);
  getsockname(listener, (struct sockaddr*)&place, &length);
  int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(filler, (struct sockaddr*)&place, sizeof place);
  usleep(20000);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, connect_it, NULL);
  usleep(200000);
  int other = -1;
  if (way == 0) {
    close(fd);
    other = open(file, O_RDWR | O_CREAT | O_TRUNC, 0644);
    printf("it has the number: %d\n", other == fd);
  } else if (way == 1) {
    int opened = open(file, O_RDWR | O_CREAT | O_TRUNC, 0644);
    other = dup2(opened, fd);
    close(opened);
  } else {
    close(fd);
  }
  accept(listener, NULL, NULL);
  pthread_join(thread, NULL);
  struct stat status = {0};
  if (other >= 0) {
    ssize_t written = write(other, "data\n", 5);
    stat(file, &status);
    printf("written: %zd, in the file: %ld\n", written, (long)status.st_size);
  } else {
    printf("the number: %s\n", fcntl(fd, F_GETFD) < 0 ? strerrorname_np(errno) : "there");
  }
  close(listener);
  close(filler);
}

static const char* file_name;
static atomic_int turn, connected_at, taken_at;

/// Puts a file at the number some moment after connect() began. What is there when both are done?
static void* take_number(void* turns) {
  long wrong = 0;
  int mine = open(file_name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  for (int now = 1; now <= *(int*)turns; now++) {
    while (atomic_load(&turn) != now) sched_yield();
    for (volatile int i = 0; i < now * 37 % 20000; i++) {
    }
    dup2(mine, fd);
    while (atomic_load(&connected_at) != now) sched_yield();
    struct stat status;
    wrong += fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
    atomic_store(&taken_at, now);
  }
  return (void*)wrong;
}

static void storm(const char* port) {
  int turns = 1500;
  void* wrong;
  place.sin_port = htons((unsigned short)atoi(port));
  fd = dup(0);
  pthread_t thread;
  pthread_create(&thread, NULL, take_number, &turns);
  for (int now = 1; now <= turns; now++) {
    int made = socket(AF_INET, SOCK_STREAM, 0);
    dup2(made, fd);
    close(made);
    atomic_store(&turn, now);
    connect(fd, (struct sockaddr*)&place, sizeof place);
    atomic_store(&connected_at, now);
    while (atomic_load(&taken_at) != now) sched_yield();
  }
  pthread_join(thread, &wrong);
  printf("wrong: %ld\n", (long)wrong);
}

int main(int argc, char** argv) {
  place = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 2) {
    file_name = argv[1];
    storm(argv[2]);
  } else {
    for (int way = 0; way < 3; way++) once(argv[1], way);
  }
  return 0;
}
