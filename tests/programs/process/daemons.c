// A daemon (two forks and a session of its own, by hand and by daemon(3)) makes connections; who
// started it has gone by then.
#include <sys/wait.h>
#include "tests/programs/descriptors/http.h"

static int report;

static void tell(int fd, const char* path) {
  put(fd, get(path));
  receive_into(fd, answer, sizeof answer);
  const char* body = strstr(answer, "\r\n\r\n");
  body = body != NULL ? body + 4 : "nothing\n";
  if (write(report, body, strlen(body)) < 0) _exit(1);
}

static void work(const char* name) {
  alarm(20);
  char path[64];
  int fd = connected();
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "/text?%s-%d", name, i);
    tell(fd, path);
  }
  close(fd);
  fd = connected();
  snprintf(path, sizeof path, "/text?%s-again", name);
  tell(fd, path);
}

// Whatever `start` leaves behind writes to a pipe until it ends.
static void run(const char* name, void (*start)(const char*)) {
  int pipes[2];
  if (pipe(pipes) != 0) exit(1);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    close(pipes[0]);
    report = pipes[1];
    start(name);
    _exit(9);
  }
  close(pipes[1]);
  int status = -1;
  waitpid(child, &status, 0);
  printf("%s: started %d\n", name, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  char text[4096];
  size_t n = 0;
  for (ssize_t got; (got = read(pipes[0], text + n, sizeof text - n)) > 0;) n += (size_t)got;
  close(pipes[0]);
  printf("%.*s", (int)n, text);
}

static void by_hand(const char* name) {
  setsid();
  if (fork() != 0) _exit(3);
  if (chdir("/") != 0) _exit(1);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  for (int fd = 3; fd < 1024; fd++)
    if (fd != report) close(fd);
  work(name);
  _exit(0);
}

static void by_libc(const char* name) {
  if (daemon(0, 0) != 0) _exit(1);
  work(name);
  exit(0);
}

// With a connection of its own before.
static void after_a_request(const char* name) {
  tell(connected(), "/text?before");
  by_hand(name);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  ask(fd, "/text?before");
  run("by-hand", by_hand);
  run("by-libc", by_libc);
  run("after-a-request", after_a_request);
  ask(fd, "/text?after");
  return 0;
}
