// Ten thousand connections, one after the other: after them the program has as many descriptors and
// threads as after the first thousand, and not much more memory.
#include <dirent.h>
#include "tests/programs/descriptors/http.h"

static int entries(const char* path) {
  int count = 0;
  DIR* folder = opendir(path);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static long resident_kib(void) {
  char line[256];
  long kib = -1;
  FILE* file = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, file) != NULL) sscanf(line, "RssAnon: %ld", &kib);
  fclose(file);
  return kib;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  alarm(100);
  int well = 0, descriptors = 0, threads = 0;
  long memory = 0;
  for (int i = 1; i <= 10000; i++) {
    int fd = connected();
    char path[64], wanted[80];
    snprintf(path, sizeof path, "/text?churn-%d", i % 100);
    snprintf(wanted, sizeof wanted, "\r\n\r\nthis is %s\n", path);
    put(fd, get(path));
    receive_into(fd, answer, sizeof answer);
    well += strstr(answer, wanted) != NULL;
    close(fd);
    if (i == 1000) {
      descriptors = entries("/proc/self/fd");
      threads = entries("/proc/self/task");
      memory = resident_kib();
    }
  }
  printf("%d of 10000\n", well);
  // The last few may not be cleared away yet.
  int more = 0;
  for (int i = 0; i < 200 && (more = entries("/proc/self/fd") - descriptors) > 2; i++)
    usleep(10000);
  if (more > 2) printf("%d descriptors more\n", more);
  if (entries("/proc/self/task") > threads) puts("more threads");
  long grown = resident_kib() - memory;
  if (grown > 8192) printf("%ld KiB more\n", grown);
  if (getenv("CHURN_SHOW"))
    fprintf(stderr, "%d %d %ld +%ld\n", descriptors, threads, memory, grown);
  return 0;
}
