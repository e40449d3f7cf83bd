// Makes a request, changes its namespaces, and makes two more: over the same connection and over a new one where that can
// reach the server.    namespaces WAY PORT
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/programs/guest/asks.h"

static int port;

static void* other_thread(void* ignored) {
  (void)ignored;
  printf("in a thread: %s\n", unshare(CLONE_NEWUSER) == 0 ? "0" : strerror(errno));
  return NULL;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const char* way = arguments[1];
  port = atoi(arguments[2]);
  int fd = open_connection(port);
  ask("answer", fd);
  int result = 0;
  if (strcmp(way, "user") == 0) result = unshare(CLONE_NEWUSER);
  if (strcmp(way, "mount") == 0) result = unshare(CLONE_NEWNS);
  if (strcmp(way, "fs") == 0) result = unshare(CLONE_FS | CLONE_FILES);
  if (strcmp(way, "user-mount-net") == 0) result = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET);
  if (strcmp(way, "setns") == 0) {
    int own = open("/proc/self/ns/mnt", O_RDONLY);
    result = setns(own, CLONE_NEWNS);
    close(own);
  }
  if (strcmp(way, "threads") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
  }
  printf("%s: %s\n", way, result == 0 ? "0" : strerror(errno));
  ask("answer", fd);
  if (strcmp(way, "user-mount-net") != 0) ask("new", open_connection(port));
  return 0;
}
