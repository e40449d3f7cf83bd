// A system call past the C library, and past whatever a program has loaded in front of it. For the few places where neither
// libc nor another preloaded library may come between: before anything was looked up, behind the end of other libraries
// (their destructors have run), and where the program's idea of something is not the machine's (libfaketime, fakeroot).
//
// Needs libc's headers alone: the thin library includes it.
#pragma once

#include <sys/syscall.h>

namespace cassette {

/// syscall(2), but for the error: -errno. Changes no errno. Any thread, any signal handler.
inline long ask_kernel(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0,
                       long a5 = 0) {
#if defined(__x86_64__)
  register long d asm("r10") = a3;
  register long e asm("r8") = a4;
  register long f asm("r9") = a5;
  long result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a0), "S"(a1), "d"(a2), "r"(d), "r"(e), "r"(f)
               : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long n asm("x8") = number;
  register long result asm("x0") = a0;
  register long b asm("x1") = a1;
  register long c asm("x2") = a2;
  register long d asm("x3") = a3;
  register long e asm("x4") = a4;
  register long f asm("x5") = a5;
  asm volatile("svc 0" : "+r"(result) : "r"(n), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f) : "memory");
#else
#error "which instruction is a system call here?"
#endif
  return result;
}

/// A pointer as an argument of ask_kernel().
inline long word_of(const void* pointer) { return reinterpret_cast<long>(pointer); }

}  // namespace cassette
