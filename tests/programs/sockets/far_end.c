// What a client hears of a server that goes away, and when: a transcript, the same with and without the library.
#include <pthread.h>

#include "both_ends.h"

static volatile sig_atomic_t signals;
static int fd, server;
static int http;

static void on_signal(int number) {
  (void)number;
  signals++;
}

static void open_both(int buffer) {
  listen_anew(buffer);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (buffer > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  if (connect(fd, (struct sockaddr*)&place, sizeof place) != 0) fail("connect");
  server = accept(listener, NULL, NULL);
  const char* first = beginning(http);
  char bytes[256];
  if (send(fd, first, strlen(first), 0) != (ssize_t)strlen(first)) fail("first send");
  for (size_t got = 0; got < strlen(first);) {
    ssize_t more = recv(server, bytes, sizeof bytes, 0);
    if (more <= 0) fail("first receive");
    got += (size_t)more;
  }
}

static void result(const char* what, long value) {
  if (value < 0)
    printf(" %s=%s", what, strerrorname_np(errno));
  else
    printf(" %s=%ld", what, value);
  if (signals > 0) printf("+SIGPIPE");
  signals = 0;
}

static void say(const char* bytes) { result("send", send(fd, bytes, strlen(bytes), 0)); }
static void say_by_write(const char* bytes) { result("write", write(fd, bytes, strlen(bytes))); }
static void hear(void) {
  char bytes[4096];
  result("recv", recv(fd, bytes, sizeof bytes, 0));
}
static void look(int wanted) {
  struct pollfd events = {fd, (short)wanted, 0};
  poll(&events, 1, 3000);
  printf(" [%s%s%s%s%s ]", events.revents & POLLIN ? " IN" : "", events.revents & POLLOUT ? " OUT" : "",
         events.revents & POLLERR ? " ERR" : "", events.revents & POLLHUP ? " HUP" : "",
         events.revents & POLLRDHUP ? " RDHUP" : "");
}
static void error(void) {
  int value = 0;
  socklen_t length = sizeof value;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length);
  printf(" SO_ERROR=%s", value ? strerrorname_np(value) : "0");
}
static void peer(void) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  result("getpeername", getpeername(fd, (struct sockaddr*)&address, &length));
}
static void own(void) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  result("getsockname", getsockname(fd, (struct sockaddr*)&address, &length));
  printf(" (%s)", length == sizeof address && address.sin_port != 0 ? "a place" : "nowhere");
}

/// The server's last words: an answer to HTTP, and something like it otherwise.
static void server_says(void) {
  static const char kAnswer[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
  if (send(server, kAnswer, sizeof kAnswer - 1, MSG_NOSIGNAL) < 0) fail("answer");
}
static void server_closes(void) {
  close(server);
  milliseconds(30);
}
static void server_resets(void) {
  struct linger now = {1, 0};
  setsockopt(server, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  server_closes();
}
static void begin_case(const char* name, int buffer) {
  open_both(buffer);
  printf("%s:", name);
}
static void end_case(void) {
  printf("\n");
  close(fd);
}

static void* close_later(void* unused) {
  (void)unused;
  char bytes[1000];
  milliseconds(100);
  if (recv(server, bytes, sizeof bytes, 0) <= 0) fail("late receive");
  close(server);
  return NULL;
}

static void cases(void) {
  static char much[8 << 20];

  begin_case("closed", 0);
  server_closes();
  say("one");
  say("two");
  say("three");
  hear();
  hear();
  end_case();

  begin_case("closed, by write", 0);
  server_closes();
  say_by_write("one");
  say_by_write("two");
  hear();
  end_case();

  begin_case("closed behind an answer", 0);
  server_says();
  server_closes();
  look(POLLIN | POLLOUT);
  say("one");
  say("two");
  hear();
  hear();
  hear();
  end_case();

  begin_case("closed with bytes that it did not read", 0);
  say("unread");
  server_says();
  server_closes();
  look(POLLIN | POLLOUT | POLLRDHUP);
  hear();
  hear();
  hear();
  say("one");
  end_case();

  begin_case("reset, heard by a send", 0);
  server_says();
  server_resets();
  say("one");
  say("two");
  hear();
  hear();
  end_case();

  begin_case("reset, heard by a receive", 0);
  server_resets();
  peer();
  own();
  hear();
  hear();
  say("one");
  end_case();

  begin_case("reset, heard by poll and SO_ERROR", 0);
  server_resets();
  look(POLLIN | POLLOUT | POLLRDHUP);
  error();
  error();
  hear();
  say("one");
  end_case();

  begin_case("reset while the client waits for room", 4096);
  block(fd, 0);
  while (send(fd, much, 1000, 0) > 0) {
  }
  milliseconds(50);
  while (send(fd, much, 1000, 0) > 0) {
  }
  server_resets();
  look(POLLOUT);
  say("one");
  say("two");
  end_case();

  begin_case("closed while the client waits in send", 4096);
  pthread_t thread;
  pthread_create(&thread, NULL, close_later, NULL);
  ssize_t sent = send(fd, much, sizeof much, 0);
  printf(" %s", sent > 0 && sent < (ssize_t)sizeof much ? "a part" : sent < 0 ? strerrorname_np(errno) : "all");
  pthread_join(thread, NULL);
  milliseconds(30);
  say("one");
  say("two");
  hear();
  end_case();

  begin_case("says all, and goes on listening", 0);
  server_says();
  shutdown(server, SHUT_WR);
  milliseconds(30);
  for (int i = 0; i < 3; i++) {
    char bytes[64];
    say("on and on");
    printf(" server=%zd", recv(server, bytes, sizeof bytes, 0));
  }
  hear();
  hear();
  shutdown(fd, SHUT_WR);
  char byte;
  printf(" server=%zd", recv(server, &byte, 1, 0));
  close(server);
  end_case();

  begin_case("the client says all, and goes on listening", 0);
  shutdown(fd, SHUT_WR);
  printf(" server=%zd", recv(server, &byte, 1, 0));
  server_says();
  hear();
  say("one");
  server_closes();
  hear();
  end_case();

  begin_case("both say all", 0);
  shutdown(fd, SHUT_WR);
  milliseconds(30);
  server_closes();
  look(POLLIN | POLLOUT | POLLRDHUP);
  hear();
  say("one");
  end_case();
}

int main(void) {
  alarm(60);
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, on_signal);
  for (http = 0; http < 2; http++) {
    printf("%s\n", http ? "HTTP" : "relayed");
    cases();
  }
  return 0;
}
