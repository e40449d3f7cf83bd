// Urgent data (tcp(7)) in both directions: what each side sees of it, with and without SO_OOBINLINE. A transcript, the same
// with and without the library. What poll says of POLLIN is not in it: a pair of sockets calls an urgent byte readable that
// TCP does not.
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "both_ends.h"

static volatile sig_atomic_t signals;
static int fd, server;

static void on_signal(int number) {
  (void)number;
  signals++;
}

static void in_line(int socket) {
  int on = 1;
  if (setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) != 0) fail("SO_OOBINLINE");
}

enum { kServerInLine = 1, kClientInLine = 2, kClientInLineLater = 4, kOwner = 8, kOwnerLater = 16 };

/// `first`: what the client says, and the server has heard, before anything else.
static void begin_case(const char* name, const char* first, int how) {
  listen_anew(0);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (how & kClientInLine) in_line(fd);
  if ((how & kOwner) && fcntl(fd, F_SETOWN, getpid()) != 0) fail("F_SETOWN");
  if (connect(fd, (struct sockaddr*)&place, sizeof place) != 0) fail("connect");
  if ((how & kOwnerLater) && fcntl(fd, F_SETOWN, getpid()) != 0) fail("F_SETOWN");
  if (how & kClientInLineLater) in_line(fd);
  server = accept(listener, NULL, NULL);
  if (how & kServerInLine) in_line(server);
  struct timeval patience = {3, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char bytes[256];
  if (send(fd, first, strlen(first), 0) != (ssize_t)strlen(first)) fail("first send");
  for (size_t got = 0; got < strlen(first);) {
    ssize_t more = recv(server, bytes, sizeof bytes, 0);
    if (more <= 0) fail("first receive");
    got += (size_t)more;
  }
  signals = 0;
  printf("%s:", name);
}
static void end_case(void) {
  printf("\n");
  close(fd);
  close(server);
}

static void result(const char* what, long value) {
  if (value < 0)
    printf(" %s=%s", what, strerrorname_np(errno));
  else
    printf(" %s=%ld", what, value);
}
static void say(int socket, const char* bytes) {
  if (send(socket, bytes, strlen(bytes), 0) != (ssize_t)strlen(bytes)) fail("send");
}
static void urge(int socket, const char* bytes) {
  result("urge", send(socket, bytes, strlen(bytes), MSG_OOB));
}
static void await_urgent(int socket) {
  struct pollfd events = {socket, POLLPRI, 0};
  while (poll(&events, 1, 3000) < 0 && errno == EINTR) {
  }
  printf(" [%s ]", events.revents & POLLPRI ? " PRI" : "");
}
static void hear_urgent(int socket) {
  char bytes[8];
  ssize_t got = recv(socket, bytes, sizeof bytes, MSG_OOB | MSG_DONTWAIT);
  if (got > 0)
    printf(" urgent '%.*s'", (int)got, bytes);
  else
    result("urgent", got);
}
/// The signal may come a moment behind the byte.
static void await_signal(void) {
  for (int i = 0; i < 1000 && signals == 0; i++) milliseconds(1);
  printf(" SIGURG %s", signals > 0 ? "yes" : "no");
}
/// All that comes, with `!` where a mark is, until `last`.
static void hear(int socket, char last) {
  char byte = 0;
  printf(" \"");
  while (byte != last) {
    int mark = 0;
    // The mark may come with the byte behind it.
    struct pollfd events = {socket, POLLIN, 0};
    while (poll(&events, 1, 3000) < 0 && errno == EINTR) {
    }
    if (ioctl(socket, SIOCATMARK, &mark) == 0 && mark) printf("!");
    if (recv(socket, &byte, 1, 0) != 1) {
      printf(" (%s)", strerrorname_np(errno));
      break;
    }
    if (byte > ' ') putchar(byte);
  }
  printf("\"");
}

static void to_server(const char* first) {
  begin_case("urgent for the server", first, 0);
  say(fd, "abc");
  urge(fd, "defg");
  await_urgent(server);
  hear_urgent(server);
  say(fd, "hi.");
  hear(server, '.');
  end_case();

  begin_case("urgent for a server that has it in line", first, kServerInLine);
  urge(fd, "ABOR\r\n");
  await_urgent(server);
  hear(server, '\n');
  say(fd, "more.");
  hear(server, '.');
  end_case();

  begin_case("urgent, of several parts, twice", first, kServerInLine);
  struct iovec parts[] = {{"ab", 2}, {"", 0}, {"cd", 2}, {"", 0}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};
  result("urge", sendmsg(fd, &message, MSG_OOB));
  await_urgent(server);
  hear(server, 'd');
  urge(fd, "x");
  await_urgent(server);
  say(fd, "y.");
  hear(server, '.');
  result("nothing", send(fd, "", 0, MSG_OOB));
  end_case();

  begin_case("urgent by a child", first, kServerInLine);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(send(fd, "abc", 3, MSG_OOB) == 3 ? 0 : 1);
  int status;
  waitpid(child, &status, 0);
  await_urgent(server);
  hear(server, 'c');
  printf(" %d", status);
  end_case();

  begin_case("urgent behind what the server has no room for", first, kServerInLine);
  static char much[1 << 20];
  memset(much, '-', sizeof much);
  size_t sent = 0, got = 0;
  block(fd, 0);
  for (int idle = 0; idle < 3;) {
    ssize_t more = send(fd, much, sizeof much, 0);
    if (more > 0) sent += (size_t)more;
    if (more < 0) milliseconds(20);
    idle = more < 0 ? idle + 1 : 0;
  }
  // Room for one is there when the server has read some of it.
  char byte = '-';
  int urgent_sent = 0, marked = 0;
  while (got < sent + 1) {
    if (!urgent_sent && send(fd, "!", 1, MSG_OOB) == 1) urgent_sent = 1;
    ioctl(server, SIOCATMARK, &marked);
    ssize_t more = marked ? recv(server, &byte, 1, 0) : recv(server, much, sizeof much / 2, 0);
    if (more <= 0) fail("receive");
    got += (size_t)more;
    if (marked) break;
  }
  printf(" %s at its end: %d, '%c'", urgent_sent ? "sent," : "not sent,", got == sent + 1, byte);
  end_case();
}

static void to_client(const char* first) {
  begin_case("urgent for the client", first, kOwner);
  say(server, "abc");
  urge(server, "d");
  say(server, "ef.");
  await_urgent(fd);
  hear_urgent(fd);
  hear_urgent(fd);
  hear(fd, '.');
  await_signal();
  end_case();

  begin_case("urgent alone, by select", first, kOwnerLater);
  urge(server, "x");
  fd_set exceptional;
  FD_ZERO(&exceptional);
  FD_SET(fd, &exceptional);
  struct timeval patience = {3, 0};
  int ready;
  while ((ready = select(fd + 1, NULL, NULL, &exceptional, &patience)) < 0 && errno == EINTR)
    FD_SET(fd, &exceptional);
  result("select", ready);
  hear_urgent(fd);
  await_signal();
  say(server, "y.");
  hear(fd, '.');
  end_case();

  for (int later = 0; later < 2; later++) {
    begin_case(later ? "urgent in line, as said later" : "urgent in line", first,
               later ? kClientInLineLater : kClientInLine);
    say(server, "abc");
    urge(server, "de");
    await_urgent(fd);
    hear_urgent(fd);
    say(server, "f.");
    hear(fd, '.');
    int on = -1;
    socklen_t length = sizeof on;
    getsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, &length);
    printf(" SO_OOBINLINE=%d", on);
    end_case();
  }
}

/// Stevens' example: nothing is known yet of what the client speaks.
static void from_the_start(void) {
  begin_case("urgent from the start", "", 0);
  say(fd, "123");
  urge(fd, "4");
  await_urgent(server);
  hear_urgent(server);
  say(fd, "56.");
  hear(server, '.');
  end_case();
}

/// An answer that has an urgent byte in it is whole without.
static void within_an_answer(void) {
  begin_case("within an answer", "GET /answer HTTP/1.1\r\nHost: localhost\r\n\r\n", 0);
  say(server, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
  urge(server, "!");
  await_urgent(fd);
  hear_urgent(fd);
  say(server, "def");
  hear(fd, 'f');
  const char* second = "GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n";
  say(fd, second);
  char bytes[256];
  result("second", recv(server, bytes, sizeof bytes, 0) == (ssize_t)strlen(second));
  end_case();
}

int main(void) {
  alarm(60);
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGURG, on_signal);  // which restarts recv(2), not poll(2)
  for (int http = 0; http < 2; http++) {
    printf("%s\n", http ? "HTTP" : "relayed");
    to_server(beginning(http));
    to_client(beginning(http));
  }
  from_the_start();
  within_an_answer();
  return 0;
}
