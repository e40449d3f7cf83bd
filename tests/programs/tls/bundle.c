// Opens a file of certificates in every way that a program may, and prints how many certificates it sees, what a second
// descriptor would be numbered, and whether it is closed on exec.
//
//   bundle FILE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern int __open_2(const char *path, int flags), __open64_2(const char *path, int flags);
extern int __openat_2(int directory, const char *path, int flags), __openat64_2(int directory, const char *path, int flags);
extern int __open(const char *path, int flags, ...), __open64(const char *path, int flags, ...);

static char text[4 << 20];

static void show(const char *name, int fd) {
  size_t size = 0;
  ssize_t got;
  int count = 0;
  if (fd < 0) {
    printf("%s: %m\n", name);
    return;
  }
  while ((got = read(fd, text + size, sizeof text - 1 - size)) > 0) size += (size_t)got;
  text[size] = '\0';
  for (const char *at = text; (at = strstr(at, "-----BEGIN ")); ++at) ++count;
  printf("%s: %d certificates, descriptor %d, close on exec %d\n", name, count, fd, fcntl(fd, F_GETFD));
  close(fd);
}

static void show_stream(const char *name, FILE *file) {
  show(name, file ? dup(fileno(file)) : -1);
  if (file) fclose(file);
}

int main(int count, char **arguments) {
  const char *path = count > 1 ? arguments[1] : "";
  show("open", open(path, O_RDONLY));
  show("open close-on-exec", open(path, O_RDONLY | O_CLOEXEC));
  show("open64", open64(path, O_RDONLY));
  show("openat", openat(AT_FDCWD, path, O_RDONLY));
  show("openat64", openat64(AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
  show("__open", __open(path, O_RDONLY));
  show("__open64", __open64(path, O_RDONLY));
  show("__open_2", __open_2(path, O_RDONLY));
  show("__open64_2", __open64_2(path, O_RDONLY));
  show("__openat_2", __openat_2(AT_FDCWD, path, O_RDONLY));
  show("__openat64_2", __openat64_2(AT_FDCWD, path, O_RDONLY));
  show_stream("fopen", fopen(path, "r"));
  show_stream("fopen64", fopen64(path, "rbe"));
  show("for writing, too", open(path, O_RDWR));
  return 0;
}
