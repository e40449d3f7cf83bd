// What the clients of the benchmarks share: the clock, the end of an answer, and the line of figures.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/// In seconds.
static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/// How long the whole answer is of which `answer` is the beginning; 0: it does not say yet.
static inline size_t whole_answer(const char* answer) {
  const char *body = strstr(answer, "\r\n\r\n"),
             *length = strcasestr(answer, "\r\nContent-Length:");
  if (body == NULL || length == NULL || length > body) return 0;
  return (size_t)(body + 4 - answer) + (size_t)atoi(length + 17);
}

static inline int by_value(const void* a, const void* b) {
  float left = *(const float*)a, right = *(const float*)b;
  return (left > right) - (left < right);
}

/// The rate in one second, then mean, median and 99th percentile of `times`, which are in microseconds.
static inline void print_figures(float* times, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) sum += times[i];
  qsort(times, (size_t)count, sizeof *times, by_value);
  printf("%.0f %.2f %.2f %.2f\n", count / (sum * 1e-6), sum / count, times[count / 2],
         times[(long)count * 99 / 100]);
}
