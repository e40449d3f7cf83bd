// Requests that are written by stdio, whose writes leave from inside libc, keep their place among
// those that are not.
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  int fd = connected();
  FILE* file = fdopen(fd, "r+");
  fprintf(file, "GET /text?%s HTTP/1.1\r\nHost: a\r\n\r\n", "fprintf");
  fflush(file);
  receive(fd);
  dprintf(fd, "GET /text?%s HTTP/1.1\r\nHost: a\r\n\r\n", "dprintf");
  receive(fd);
  ask(fd, "/text?write");

  // One request, in turns by both.
  fputs("GET /text?in-", file);
  fflush(file);
  put(fd, "turns HTTP");
  dprintf(fd, "/1.1\r\nHost");
  fputs(": a\r\n", file);
  fflush(file);
  put(fd, "\r\n");
  receive(fd);

  // Several, in turns, without waiting.
  for (int i = 0; i < 5; i++) {
    fprintf(file, "GET /text?stdio-%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    fflush(file);
    put(fd, "GET /text?write HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  for (int i = 0; i < 10; i++) receive(fd);

  // Read by stdio, too, to the end.
  fputs("GET /text?last HTTP/1.0\r\n\r\n", file);
  fflush(file);
  char line[256];
  while (fgets(line, sizeof line, file) != NULL) fputs(line, stdout);
  printf("end: %d\n", feof(file) != 0);
  return fclose(file);
}
