// When a connection's number is used for a file, its bytes go to the file and come from it, however
// the connection was closed: some ways do not pass through the hooks.
#include <sys/stat.h>
#include "http.h"

static char folder[] = "/tmp/number-reuse.XXXXXX";

static int file(void) {
  char path[200];
  snprintf(path, sizeof path, "%s/file", folder);
  return open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
}

static void check(const char* how, int fd, int number) {
  struct stat status;
  fstat(fd, &status);
  printf("%s: same number %d, a file %d", how, fd == number, S_ISREG(status.st_mode));
  // What would be a request, if it were still a connection.
  const char* text = get("/text?lost");
  struct iovec piece = {(void*)text, strlen(text)};
  printf(", written %d %d", write(fd, text, strlen(text)) == (ssize_t)strlen(text),
         writev(fd, &piece, 1) == (ssize_t)strlen(text));
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  int sent = send(fd, text, 1, 0) < 0 ? errno : 0,
      peer = getpeername(fd, (struct sockaddr*)&address, &length) < 0 ? errno : 0;
  printf(", send %s, getpeername %s", strerrorname_np(sent), strerrorname_np(peer));
  fstat(fd, &status);
  printf(", size %d\n", status.st_size == 2 * (off_t)strlen(text));
  close(fd);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  if (mkdtemp(folder) == NULL) return 1;
  int fd = connected();
  ask(fd, "/text?1");
  close(fd);
  check("close", file(), fd);

  fd = connected();
  ask(fd, "/text?2");
  fclose(fdopen(fd, "r+"));
  check("fclose", file(), fd);

  fd = connected();
  ask(fd, "/text?3");
  int other = file();
  dup2(other, fd);
  close(other);
  check("dup2", fd, fd);

  fd = connected();
  ask(fd, "/text?4");
  closefrom(fd);
  check("closefrom", file(), fd);

  fd = connected();
  ask(fd, "/text?5");
  close_range((unsigned)fd, ~0U, 0);
  check("close_range", file(), fd);

  fd = connected();
  put(fd, "GET /text?half HTTP/1.1\r\n");
  close(fd);
  check("close within a request", file(), fd);

  // And a new connection at the number of an old one is the new one.
  fd = connected();
  put(fd, "GET /text?half HTTP/1.1\r\n");
  close(fd);
  int again = connected();
  printf("same number: %d\n", again == fd);
  ask(again, "/text?6");

  char path[200];
  snprintf(path, sizeof path, "%s/file", folder);
  unlink(path);
  rmdir(folder);
  return 0;
}
