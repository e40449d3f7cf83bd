// What the library adds to the start of a program that makes no connection: starts PROGRAM with and
// without LD_PRELOAD, in turns, so that both see the same machine.
//
//   startup LIBRARY PROGRAM TIMES     prints the medians in microseconds: without, with
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec * 1e-3;
}

static int by_value(const void* a, const void* b) {
  double left = *(const double*)a, right = *(const double*)b;
  return (left > right) - (left < right);
}

static double start(char* program, char** environment) {
  char* words[] = {program, NULL};
  pid_t child;
  int status = -1;
  double begin = now();
  if (posix_spawn(&child, program, NULL, NULL, words, environment) != 0) {
    perror(program);
    exit(1);
  }
  waitpid(child, &status, 0);
  if (status != 0) {
    fprintf(stderr, "startup: %s ended with status %#x\n", program, (unsigned)status);
    exit(1);
  }
  return now() - begin;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: startup LIBRARY PROGRAM TIMES\n");
    return 2;
  }
  char preload[4096];
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", argv[1]);
  char *without[] = {"PATH=/usr/bin:/bin", NULL}, *with[] = {"PATH=/usr/bin:/bin", preload, NULL};
  int times = atoi(argv[3]);
  if (times < 1) return 2;
  double *a = malloc((size_t)times * sizeof *a), *b = malloc((size_t)times * sizeof *b);
  for (int i = 0; i < 20; i++) start(argv[2], i % 2 ? with : without);
  for (int i = 0; i < times; i++) {
    a[i] = start(argv[2], without);
    b[i] = start(argv[2], with);
  }
  qsort(a, (size_t)times, sizeof *a, by_value);
  qsort(b, (size_t)times, sizeof *b, by_value);
  printf("%.1f %.1f\n", a[times / 2], b[times / 2]);
  free(a);
  free(b);
  return 0;
}
