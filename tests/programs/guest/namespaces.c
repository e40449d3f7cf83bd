// Makes a request, changes its namespaces, and makes two more: over the same connection and over a new one where that can
// reach the server.    namespaces WAY PORT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int port;

static int open_connection(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void*)&address, sizeof address) == 0) return fd;
  printf("connect: %s\n", strerror(errno));
  return -1;
}

static void ask(int fd, const char* target) {
  char text[4096];
  size_t size = 0;
  ssize_t got;
  alarm(10);
  dprintf(fd, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
  while ((got = read(fd, text + size, sizeof text - 1 - size)) > 0) {
    text[size += got] = 0;
    char* body = strstr(text, "\r\n\r\n");
    if (body == NULL || strchr(body + 4, '\n') == NULL) continue;
    printf("%s", body + 4);
    fflush(stdout);
    alarm(0);
    return;
  }
  printf("no answer\n");
}

static void* other_thread(void* ignored) {
  (void)ignored;
  printf("in a thread: %s\n", unshare(CLONE_NEWUSER) == 0 ? "0" : strerror(errno));
  return NULL;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const char* way = arguments[1];
  port = atoi(arguments[2]);
  int fd = open_connection();
  ask(fd, "/turn");
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
  ask(fd, "/turn");
  if (strcmp(way, "user-mount-net") != 0) ask(open_connection(), "/turn");
  return 0;
}
