// What the little programs of descriptors.test share: connect, ask, and show what came back. Each
// program prints a transcript that is the same in every run; descriptors.test compares those
// without the library, while recording, and while replaying.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct sockaddr_in server;

// Every program is called as PROGRAM ADDRESS PORT. None may hang.
__attribute__((unused)) static void begin(int argc, char** argv) {
  if (argc < 3) exit(2);
  alarm(30);
  setvbuf(stdout, NULL, _IOLBF, 0);
  server.sin_family = AF_INET;
  server.sin_port = htons((unsigned short)atoi(argv[2]));
  inet_pton(AF_INET, argv[1], &server.sin_addr);
}

// Shows a call's result, or the name of its error.
__attribute__((unused)) static long show(const char* what, long result) {
  if (result < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, result);
  return result;
}

__attribute__((unused)) static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }

__attribute__((unused)) static int connect_fd(int fd) {
  return connect(fd, (struct sockaddr*)&server, sizeof server);
}

__attribute__((unused)) static int connected(void) {
  int fd = tcp();
  if (connect_fd(fd) != 0) {
    printf("connect: %s\n", strerrorname_np(errno));
    exit(1);
  }
  return fd;
}

__attribute__((unused)) static const char* get(const char* path) {
  static _Thread_local char text[512];
  snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path,
           ntohs(server.sin_port));
  return text;
}

__attribute__((unused)) static const char* post(const char* path, int length) {
  static _Thread_local char text[512];
  snprintf(text, sizeof text,
           "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n\r\n", path,
           ntohs(server.sin_port), length);
  return text;
}

// All of it, through write(2); the descriptor may be non-blocking.
__attribute__((unused)) static void put(int fd, const char* text) {
  size_t left = strlen(text);
  while (left > 0) {
    ssize_t n = write(fd, text, left);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd writable = {fd, POLLOUT, 0};
      poll(&writable, 1, 10000);
      continue;
    }
    if (n < 0) {
      printf("write: %s\n", strerrorname_np(errno));
      exit(1);
    }
    text += n;
    left -= (size_t)n;
  }
}

static char answer[1 << 20];

// Reads one response with a Content-Length into `into` and leaves what follows unread. The length
// of all.
__attribute__((unused)) static size_t receive_into(int fd, char* into, size_t size) {
  size_t n = 0, whole = size;
  while (n < whole && n < size - 1) {
    // Byte by byte up to the body, since the next response may already be there.
    ssize_t got = read(fd, into + n, whole == size ? 1 : whole - n);
    if (got < 0 && errno == EAGAIN) {
      struct pollfd readable = {fd, POLLIN, 0};
      poll(&readable, 1, 10000);
      continue;
    }
    if (got < 0) printf("read: %s\n", strerrorname_np(errno));
    if (got <= 0) break;
    n += (size_t)got;
    into[n] = '\0';
    if (whole == size && n >= 4 && memcmp(into + n - 4, "\r\n\r\n", 4) == 0) {
      const char* length = strstr(into, "Content-Length: ");
      whole = n + (length != NULL ? (size_t)atoi(length + 16) : 0);
    }
  }
  into[n] = '\0';
  return n;
}

// Reads one response and prints its status line and body.
__attribute__((unused)) static void receive(int fd) {
  receive_into(fd, answer, sizeof answer);
  const char* body = strstr(answer, "\r\n\r\n");
  printf("%.*s | %s", (int)strcspn(answer, "\r"), answer,
         body != NULL ? body + 4 : "(no end of the headers)\n");
}

__attribute__((unused)) static void ask(int fd, const char* path) {
  put(fd, get(path));
  receive(fd);
}

// What is left until the end of the connection.
__attribute__((unused)) static void show_end(int fd) {
  ssize_t n = read(fd, answer, sizeof answer);
  if (n < 0)
    printf("end: %s\n", strerrorname_np(errno));
  else
    printf("end: %zd bytes\n", n);
}
