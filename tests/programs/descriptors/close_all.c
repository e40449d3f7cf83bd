// Programs that close every descriptor there is, to start anew, can still connect, and find no
// descriptor open.
#include <dirent.h>
#include <linux/close_range.h>
#include "http.h"

static void try_again(const char* how) {
  printf("%s\n", how);
  int fd = connected();
  printf("  number %d\n", fd);
  ask(fd, "/text?after");
  close(fd);
}

int main(int argc, char** argv) {
  begin(argc, argv);
  ask(connected(), "/text?before");
  ask(connected(), "/text?before-2");

  for (int fd = 3; fd < 1024; fd++) close(fd);
  try_again("a loop over close");
  ask(connected(), "/text?before");
  closefrom(3);
  try_again("closefrom");
  ask(connected(), "/text?before");
  show("close_range", close_range(3, ~0U, 0));
  try_again("close_range");
  int fd = connected();
  show("close_range close-on-exec", close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
  ask(fd, "/text?cloexec");
  printf("close-on-exec: %d\n", fcntl(fd, F_GETFD));
  close(fd);

  // Down from the limit, as daemons used to.
  ask(connected(), "/text?before");
  for (long i = sysconf(_SC_OPEN_MAX) - 1; i >= 3; i--) {
    // Up to where anything can be: the limit may be a billion.
    if (i > 1100000) i = 1100000;
    close((int)i);
  }
  try_again("a loop down from the limit");

  // By the list of open descriptors, as others do.
  ask(connected(), "/text?before");
  DIR* folder = opendir("/proc/self/fd");
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;)
    if (atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(folder)) close(atoi(entry->d_name));
  closedir(folder);
  try_again("a loop over /proc/self/fd");
  return 0;
}
