// For guest_messages.test: what a program may have at number 2 by the time that there is something to say. Prints nothing of
// its own there; says on the descriptor 9 what has become of it.
//
//   number_two HOW ADDRESS PORT FILE
//     file        closes 0 to 2 and opens FILE, which gets one of their numbers and is copied to 2
//     connection  closes 2, so that the connection is number 2
//     file-size   2 is a file, and no file may become larger
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/programs/descriptors/http.h"

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  begin(argc - 1, argv + 1);
  const char* how = argv[1];
  if (strcmp(how, "file") == 0) {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    int file = open(argv[4], O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file != 0 || dup2(file, 1) != 1 || dup2(file, 2) != 2) return 3;
    if (write(2, "data\n", 5) != 5) return 3;
  } else if (strcmp(how, "connection") == 0) {
    close(2);
  } else if (strcmp(how, "file-size") == 0) {
    struct stat status;
    if (fstat(2, &status) != 0) return 3;
    struct rlimit limit = {(rlim_t)status.st_size + 10, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 3;
  }
  for (int i = 0; i < 3; ++i) {
    int fd = tcp();
    if (connect_fd(fd) != 0) return 4;
    put(fd, "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    char bytes[4096];
    size_t size = 0;
    for (ssize_t got; (got = read(fd, bytes + size, sizeof bytes - 1 - size)) > 0;)
      size += (size_t)got;
    bytes[size] = '\0';
    dprintf(9, "%d %.12s\n", fd, bytes);
    close(fd);
    if (strcmp(how, "connection") == 0 && fd != 2) return 5;
  }
  return 0;
}
