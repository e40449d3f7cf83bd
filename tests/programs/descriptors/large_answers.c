// Answers larger than any buffer, with a reader that is slow, that asks for little room, that stops,
// or that closes; and what comes after them.
#include "http.h"

// FNV-1a of all that comes until the end of the connection, read in pieces.
static void read_all(int fd, size_t piece, int pause_every) {
  unsigned long hash = 14695981039346656037UL, total = 0;
  for (int i = 1;; i++) {
    ssize_t n = read(fd, answer, piece);
    if (n < 0) show("read", -1);
    if (n <= 0) break;
    for (ssize_t k = 0; k < n; k++) hash = (hash ^ (unsigned char)answer[k]) * 1099511628211UL;
    total += (unsigned long)n;
    if (pause_every && i % pause_every == 0) usleep(1000);
  }
  printf("%lu bytes, hash %lx\n", total, hash);
}

static int asked(const char* path, int room) {
  int fd = tcp();
  if (room > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (connect_fd(fd) != 0) show("connect", -1);
  char text[100];
  snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", path);
  put(fd, text);
  return fd;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = asked("/big", 0);
  read_all(fd, 65536, 0);
  close(fd);
  fd = asked("/big?slow", 0);
  read_all(fd, 20000, 10);
  close(fd);
  fd = asked("/big?little-room", 4096);
  read_all(fd, 3000, 100);
  close(fd);

  // Two at a time, read in turns; the one that is not read holds nobody up.
  int first = asked("/big?first", 0), second = asked("/big?second", 0);
  usleep(50000);
  read_all(second, 65536, 0);
  read_all(first, 65536, 0);
  close(first);
  close(second);

  // One that is stopped in the middle and closed, and one that is only stopped.
  for (int i = 0; i < 3; i++) {
    fd = asked("/big?closed", 0);
    size_t n = 0;
    while (n < 100000) {
      ssize_t got = read(fd, answer, 10000);
      if (got <= 0) break;
      n += (size_t)got;
    }
    close(fd);
  }
  int stopped = asked("/big?stopped", 0);
  fd = connected();
  ask(fd, "/text?after");
  put(fd, get("/text?size=900000"));
  printf("%d\n", (int)receive_into(fd, answer, sizeof answer) > 900000);
  ask(fd, "/text?and-after");
  read_all(stopped, 65536, 0);
  return 0;
}
