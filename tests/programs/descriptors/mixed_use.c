// One descriptor used by stdio, write, a child, system calls by number and io_uring, in turns: the
// bytes arrive in order.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "http.h"

static int fd;

// One IORING_OP_WRITE through a ring of one entry, made for it. False where rings are not allowed.
static int ring_write(const char* text) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) return 0;
  size_t size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  char* queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  struct io_uring_sqe* entry = mmap(NULL, params.sq_entries * sizeof *entry, PROT_READ | PROT_WRITE,
                                    MAP_SHARED, ring, IORING_OFF_SQES);
  if (queue == MAP_FAILED || entry == MAP_FAILED) return 0;
  memset(entry, 0, sizeof *entry);
  entry->opcode = IORING_OP_WRITE;
  entry->fd = fd;
  entry->addr = (unsigned long)text;
  entry->len = (unsigned)strlen(text);
  entry->off = (unsigned long long)-1;
  ((unsigned*)(queue + params.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned*)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
  int done = (int)syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1;
  munmap(queue, size);
  munmap(entry, params.sq_entries * sizeof *entry);
  close(ring);
  return done;
}

static void raw(const char* text) { syscall(SYS_write, fd, text, strlen(text)); }

static void by_ring(const char* text) {
  if (!ring_write(text)) raw(text);
}

// A child writes a part and ends.
static void by_child(const char* text) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    put(fd, text);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void by_put(const char* text) { put(fd, text); }

static FILE* stream;
static void by_stdio(const char* text) {
  fputs(text, stream);
  fflush(stream);
}

int main(int argc, char** argv) {
  if (argc == 2) {  // are rings allowed here?
    fd = open("/dev/null", O_WRONLY);
    return !ring_write("x");
  }
  begin(argc, argv);
  fd = connected();
  stream = fdopen(dup(fd), "w");
  void (*ways[])(const char*) = {by_put, raw, by_stdio, by_ring, by_child};
  enum { kWays = sizeof ways / sizeof *ways };
  for (int i = 0; i < kWays; i++) {
    char text[100];
    snprintf(text, sizeof text, "GET /text?way-%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    ways[i](text);
    receive(fd);
  }

  // A request in pieces, each by another way, beginning with each.
  for (int first = 0; first < kWays; first++) {
    char number[8];
    snprintf(number, sizeof number, "%d", first);
    const char* pieces[] = {"GET /te",     "xt?piece-", number, "-in-", "order HT",
                            "TP/1.1\r\nH", "ost: a",    "\r\n", "\r",   "\n"};
    for (int i = 0; i < 10; i++) ways[(first + i) % kWays](pieces[i]);
    receive(fd);
  }

  // A body in pieces: the server tells its hash.
  put(fd, post("/echo", 4000));
  char piece[101];
  for (int i = 0; i < 40; i++) {
    memset(piece, 'a' + i % 26, 100);
    piece[100] = '\0';
    ways[i % kWays](piece);
  }
  receive(fd);

  // Whole requests one after the other, without waiting.
  for (int i = 0; i < 20; i++) {
    char text[100];
    snprintf(text, sizeof text, "GET /text?pipelined-%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    ways[i * 3 % kWays](text);
  }
  for (int i = 0; i < 20; i++) receive(fd);

  // stdio reads while write writes.
  FILE* in = fdopen(fd, "r");
  char line[256];
  for (int i = 0; i < 5; i++) {
    put(fd, get("/text?read-by-stdio"));
    while (fgets(line, sizeof line, in) != NULL && strcmp(line, "\r\n") != 0) continue;
    if (fgets(line, sizeof line, in) != NULL) fputs(line, stdout);
  }

  // Parent and child in turns, each a whole request, told by a pipe whose turn it is.
  int to_child[2], to_parent[2];
  if (pipe(to_child) != 0 || pipe(to_parent) != 0) return 1;
  fflush(stdout);
  pid_t child = fork();
  char token = 'x';
  if (child == 0) {
    for (int i = 0; i < 5; i++) {
      read(to_child[0], &token, 1);
      put(fd, get("/text?child"));
      receive(fd);
      write(to_parent[1], &token, 1);
    }
    exit(0);
  }
  for (int i = 0; i < 5; i++) {
    put(fd, get("/text?parent"));
    receive(fd);
    write(to_child[1], &token, 1);
    read(to_parent[0], &token, 1);
  }
  waitpid(child, NULL, 0);
  return 0;
}
