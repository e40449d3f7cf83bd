// Hooks of the end of a process that runs no destructors: dash ends with _exit(), and so do children
// that forked from an intercepted process. (_Exit() is rare, and the contract keeps capitals out of what is
// exported: a session that ends so is ended by the next process to come by.)
#include "preload/hooks/library.h"

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

void _exit(int status) {
  leave_session();
  real()._exit(status);
  __builtin_unreachable();
}

}  // extern "C"
#pragma GCC visibility pop
