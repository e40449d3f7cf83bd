// Threads that use connections without end, until somebody stops them. What they ask for is what
// tests/origin.py does not count, and what they get does not matter: how far they come is not the
// same in two runs.
#pragma once

#include <netdb.h>
#include <pthread.h>
#include "tests/programs/descriptors/http.h"

static int hammers_running;

static void running(void) { __atomic_add_fetch(&hammers_running, 1, __ATOMIC_RELEASE); }

__attribute__((unused)) static void wait_until_running(int count) {
  while (__atomic_load_n(&hammers_running, __ATOMIC_ACQUIRE) < count) usleep(1000);
}

// Connects and closes.
__attribute__((unused)) static void* hammer_connect(void* argument) {
  for (int i = 0;; i++) {
    int fd = tcp();
    connect_fd(fd);
    close(fd);
    if (i == 3) running();
    usleep(500);  // the server has others to look after
  }
  return argument;
}

// Asks, and reads what comes.
__attribute__((unused)) static void* hammer_ask(void* argument) {
  char text[4096];
  for (int i = 0;; i++) {
    int fd = tcp(), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect_fd(fd) == 0) {
      for (int k = 0; k < 5; k++) {
        const char* request = get("/__count");
        if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) break;
        if (read(fd, text, sizeof text) <= 0) break;
      }
    }
    close(fd);
    if (i == 1) running();
  }
  return argument;
}

// Looks names up.
__attribute__((unused)) static void* hammer_names(void* argument) {
  for (int i = 0;; i++) {
    struct addrinfo* list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(i % 2 ? "localhost" : "127.0.0.1", "80", &hints, &list) == 0)
      freeaddrinfo(list);
    if (i == 3) running();
    pthread_testcancel();
  }
  return argument;
}

// Waits for what does not come.
__attribute__((unused)) static void* hammer_read(void* argument) {
  int fd = connected();
  char byte;
  running();
  for (;;)
    if (read(fd, &byte, 1) <= 0) pause();
  return argument;
}
