// Bodies of requests that the kernel moves, from a file or a pipe, between those that are written.
#include <sys/mman.h>
#include <sys/sendfile.h>
#include "http.h"

enum { kSize = 200000 };

static int file;

// A server says the length and the hash of what it got.
static void begin_body(int fd, const char* path) { put(fd, post(path, kSize)); }

int main(int argc, char** argv) {
  begin(argc, argv);
  file = memfd_create("body", MFD_CLOEXEC);
  static char body[kSize];
  for (int i = 0; i < kSize; i++) body[i] = (char)('a' + i * 7 % 26);
  if (write(file, body, kSize) != kSize) return 1;

  int fd = connected();
  begin_body(fd, "/echo?sendfile");
  off_t offset = 0;
  while (offset < kSize && sendfile(fd, file, &offset, kSize) > 0) continue;
  receive(fd);

  begin_body(fd, "/echo?turns");
  for (offset = 0; offset < kSize;) {
    if (sendfile(fd, file, &offset, 10000) <= 0) break;
    if (offset < kSize) {
      ssize_t n = write(fd, body + offset, kSize - offset < 777 ? (size_t)(kSize - offset) : 777);
      if (n > 0) offset += n;
    }
  }
  receive(fd);

  int pipes[2];
  if (pipe(pipes) != 0) return 1;
  begin_body(fd, "/echo?splice");
  loff_t at = 0;
  while (at < kSize) {
    ssize_t in = splice(file, &at, pipes[1], NULL, 30000, 0);
    if (in <= 0) break;
    while (in > 0) {
      ssize_t out = splice(pipes[0], NULL, fd, NULL, (size_t)in, SPLICE_F_MORE);
      if (out <= 0) break;
      in -= out;
    }
  }
  receive(fd);

  begin_body(fd, "/echo?vmsplice");
  for (offset = 0; offset < kSize;) {
    struct iovec piece = {body + offset, kSize - offset < 4096 ? (size_t)(kSize - offset) : 4096};
    ssize_t in = vmsplice(pipes[1], &piece, 1, 0);
    if (in <= 0) break;
    offset += in;
    while (in > 0) {
      ssize_t out = splice(pipes[0], NULL, fd, NULL, (size_t)in, 0);
      if (out <= 0) break;
      in -= out;
    }
  }
  receive(fd);

  begin_body(fd, "/echo?pwritev2");
  for (offset = 0; offset < kSize;) {
    struct iovec piece = {body + offset, (size_t)(kSize - offset)};
    ssize_t n = pwritev2(fd, &piece, 1, -1, 0);
    if (n <= 0) break;
    offset += n;
  }
  receive(fd);

  // And an answer by the pipe.
  put(fd, "GET /text?size=5000 HTTP/1.0\r\n\r\n");
  size_t n = 0;
  char text[8192];
  for (;;) {
    ssize_t in = splice(fd, NULL, pipes[1], NULL, 4096, 0);
    if (in <= 0) break;
    ssize_t got = read(pipes[0], text + n, (size_t)in);
    if (got <= 0) break;
    n += (size_t)got;
  }
  printf("splice from the connection: %.15s, ends with %c\n", text, text[n - 1]);
  return 0;
}
