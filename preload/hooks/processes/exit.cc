// Hooks of the end of a process that runs no destructors: dash ends with _exit(), and so do children
// that forked from an intercepted process. (_Exit() is rare, and the contract keeps capitals out of what is
// exported: a session that ends so is ended by the next process to come by.)
#include <pthread.h>
#include <unistd.h>

#include "preload/hooks/library.h"

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

void _exit(int status) {
  note_exit_status(status);
  leave_session();
  real()._exit(status);
  __builtin_unreachable();
}

void pthread_exit(void* value) {
  if (library_active() && !inside_engine && gettid() == getpid()) main_thread_ends();
  real().pthread_exit(value);
  __builtin_unreachable();
}

}  // extern "C"
#pragma GCC visibility pop
