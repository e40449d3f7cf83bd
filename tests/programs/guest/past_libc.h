// A system call that no hook sees. Returns what the kernel does: a negative number is an errno.
#pragma once

#include <sys/syscall.h>

static inline long past_libc(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
  register long fourth __asm__("r10") = d;
  long result = number;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(fourth)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long eighth __asm__("x8") = number;
  register long first __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  __asm__ volatile("svc 0"
                   : "+r"(first)
                   : "r"(eighth), "r"(second), "r"(third), "r"(fourth)
                   : "memory");
  return first;
#endif
}
