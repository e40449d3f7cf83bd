// A storm of signals, with and without SA_RESTART: calls are interrupted, nothing is lost. And
// handlers that use connections themselves, whatever they interrupt.
#include "tests/programs/process/alarms.h"

static volatile sig_atomic_t fired, budget;
static int handler_fd;
static const char kFromHandler[] = "GET /text?handler HTTP/1.1\r\nHost: a\r\n\r\n";

static void on_alarm(int signal) {
  (void)signal;
  int saved = errno;
  fired++;
  if (budget > 0) {
    budget--;
    if (write(handler_fd, kFromHandler, sizeof kFromHandler - 1) < 0) abort();
  }
  errno = saved;
}

static int connect_patiently(void) {
  int fd = tcp();
  if (connect_fd(fd) == 0) return fd;
  if (errno != EINTR) show("connect", -1);
  // It goes on in the background.
  struct pollfd writable = {fd, POLLOUT, 0};
  while (poll(&writable, 1, 10000) < 0 && errno == EINTR) continue;
  int error = -1;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) printf("connect: %s\n", strerrorname_np(error));
  return fd;
}

static void put_patiently(int fd, const char* text) {
  size_t left = strlen(text);
  while (left > 0) {
    ssize_t n = send(fd, text, left, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      show("send", n);
      exit(1);
    }
    text += n;
    left -= (size_t)n;
  }
}

// One answer; true when its body begins as wanted.
static int get_patiently(int fd, const char* wanted) {
  size_t n = 0, whole = sizeof answer - 1;
  int in_body = 0;
  while (n < whole) {
    ssize_t got = read(fd, answer + n, in_body ? whole - n : 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    n += (size_t)got;
    answer[n] = '\0';
    if (!in_body && n >= 4 && memcmp(answer + n - 4, "\r\n\r\n", 4) == 0) {
      in_body = 1;
      whole = n + (size_t)atoi(strstr(answer, "Content-Length: ") + 16);
    }
  }
  char text[100];
  snprintf(text, sizeof text, "\r\n\r\nthis is %s\n", wanted);
  return strstr(answer, text) != NULL;
}

static int requests(const char* name, int count) {
  int well = 0, fd = -1;
  for (int i = 0; i < count; i++) {
    if (i % 10 == 0) {
      if (fd >= 0) close(fd);
      fd = connect_patiently();
    }
    char path[64];
    snprintf(path, sizeof path, "/text?%s-%d&size=%d", name, i, i % 10 == 5 ? 300000 : 0);
    put_patiently(fd, get(path));
    well += get_patiently(fd, path);
  }
  close(fd);
  return well;
}

int main(int argc, char** argv) {
  begin_alarmed(argc, argv, 30);

  alarms(SA_RESTART, 200);
  printf("with SA_RESTART: %d of 100\n", requests("restart", 100));
  alarms(0, 200);
  printf("without: %d of 100\n", requests("interrupt", 100));

  // The handler asks on a connection of its own, while there are requests on others.
  handler_fd = connect_patiently();
  budget = 40;
  printf("beside the handler's: %d of 50\n", requests("beside", 50));
  while (budget > 0) pause();
  int well = 0;
  for (int i = 0; i < 40; i++) well += get_patiently(handler_fd, "/text?handler");
  printf("the handler's: %d of 40\n", well);

  // On the same connection: its request is before or behind the program's, never within.
  budget = 40;
  for (int i = 0; i < 60; i++) put_patiently(handler_fd, get("/text?program"));
  while (budget > 0) pause();
  int own = 0;
  well = 0;
  for (int i = 0; i < 100; i++) {
    if (get_patiently(handler_fd, "/text?program"))
      own++;
    else
      well += strstr(answer, "this is /text?handler\n") != NULL;
  }
  printf("in turns: %d and %d\n", own, well);

  printf("a storm: %d\n", fired > 100);
  alarms(0, 0);
  return 0;
}
