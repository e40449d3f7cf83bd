// stdio closes descriptors within libc, past the hooks: what then gets the number is what it is, and
// other copies of the connection go on.
#include <sys/stat.h>
#include <sys/wait.h>
#include "http.h"

int main(int argc, char** argv) {
  begin(argc, argv);
  // Another connection gets the number of one that fclose() closed within a request.
  int fd = connected();
  FILE* file = fdopen(fd, "r+");
  fputs("GET /text?half HTTP/1.1\r\n", file);
  show("fclose", fclose(file));
  int again = connected();
  printf("same number: %d\n", again == fd);
  ask(again, "/text?2");

  // A copy outlives the stream.
  int copy = dup(again);
  file = fdopen(again, "w");
  fprintf(file, "GET /text?%s HTTP/1.1\r\nHost: a\r\n\r\n", "flushed-by-fclose");
  show("fclose", fclose(file));
  receive(copy);
  ask(copy, "/text?copy");
  show("write to the closed number", write(again, "x", 1));
  show("close of the closed number", close(again));
  show("fdopen of it", fdopen(again, "r") == NULL ? -1 : 0);
  close(copy);

  // freopen() puts a file in the connection's place.
  fd = connected();
  ask(fd, "/text?3");
  file = fdopen(fd, "w");
  file = freopen("/dev/null", "w", file);
  printf("freopen: same number %d\n", fileno(file) == fd);
  const char* text = get("/text?lost");
  show("write to the file", write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  fputs(text, file);
  show("fflush", fflush(file));
  struct stat status;
  fstat(fd, &status);
  printf("a device: %d\n", S_ISCHR(status.st_mode));
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  show("getpeername", getpeername(fd, (struct sockaddr*)&address, &length));
  fclose(file);

  // Two streams over one connection: one to read, one to write.
  fd = connected();
  FILE* in = fdopen(fd, "r");
  FILE* out = fdopen(dup(fd), "w");
  char line[256];
  for (int i = 0; i < 3; i++) {
    fprintf(out, "GET /text?streams-%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    fflush(out);
    while (fgets(line, sizeof line, in) != NULL && strcmp(line, "\r\n") != 0)
      if (strncmp(line, "HTTP", 4) == 0) fputs(line, stdout);
    fputs(fgets(line, sizeof line, in), stdout);
  }
  fprintf(out, "GET /text?streams HTTP/1.1\r\nHost: a\r\n\r\n");
  show("fclose of the one", fclose(out));
  while (fgets(line, sizeof line, in) != NULL && strcmp(line, "\r\n") != 0) continue;
  fputs(fgets(line, sizeof line, in), stdout);
  show("fclose of the other", fclose(in));

  // fcloseall() in a child closes nothing of the parent's, and the child can still connect.
  fd = connected();
  fflush(stdout);
  int pipes[2];
  if (pipe(pipes) != 0) return 1;
  pid_t child = fork();
  if (child == 0) {
    int own = connected();
    fdopen(own, "r+");
    fdopen(fd, "r+");
    fcloseall();
    int next = connected();
    put(next, get("/text?child"));
    receive_into(next, answer, sizeof answer);
    const char* body = strstr(answer, "\r\n\r\n");
    write(pipes[1], body + 4, strlen(body + 4));
    _exit(0);
  }
  close(pipes[1]);
  ssize_t n = read(pipes[0], line, sizeof line);
  printf("child after fcloseall: %.*s", (int)n, line);
  waitpid(child, NULL, 0);
  ask(fd, "/text?parent");
  return 0;
}
