// See fork.h.
#include "preload/hooks/processes/fork.h"

#include <dlfcn.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>

#include "preload/hooks/library.h"
#include "preload/hooks/processes/rights.h"
#include "preload/hooks/processes/threads.h"

namespace cassette {

namespace {

/// What clone(2) begins in a child that has a copy of our memory.
struct Begin {
  int (*function)(void*);
  void* argument;
  bool shares_descriptors;
};

int begin_process(void* begin) {
  const Begin* given = static_cast<const Begin*>(begin);
  after_process_in_child(given->shares_descriptors);
  const int status = given->function(given->argument);
  // clone(2) would end this thread alone, and leave the engine's.
  if (is_alone_beside_ours()) _exit(status);
  note_exit_status(status);
  leave_session();
  return status;
}

/// _Fork(3), of the object that the hook was asked for last: there is but one.
pid_t (*plain_fork)();

pid_t fork_hook() {
  before_process();
  const pid_t child = plain_fork();
  if (child == 0) {
    after_process_in_child(false);
  } else {
    after_process_in_parent();
  }
  return child;
}

using Clone = decltype(&::clone);

int clone_hook(Clone next, int (*function)(void*), void* stack, int flags, void* argument,
               pid_t* parent_id, void* tls, pid_t* child_id) {
  if (!makes_process(static_cast<unsigned>(flags)) || function == nullptr || stack == nullptr)
    return next(function, stack, flags, argument, parent_id, tls, child_id);
  Begin begin{function, argument, (flags & CLONE_FILES) != 0};
  about_to_enter_namespaces(static_cast<unsigned>(flags));
  before_process();
  const int child = next(begin_process, stack, flags, &begin, parent_id, tls, child_id);
  after_process_in_parent();
  return child;
}

}  // namespace

void* hook_of_fork(void* object) {
  auto* found = reinterpret_cast<decltype(plain_fork)>(dlsym(object, "_Fork"));
  if (found == nullptr) return nullptr;  // before glibc 2.34
  plain_fork = found;
  return reinterpret_cast<void*>(&fork_hook);
}

bool makes_process(unsigned long flags) { return (flags & CLONE_VM) == 0; }

void before_process() {
  if (const EngineApi* api = loaded_engine()) api->before_fork();
}

void after_process_in_parent() {
  int saved = errno;
  if (const EngineApi* api = loaded_engine()) api->after_fork_in_parent();
  errno = saved;
}

void after_process_in_child(bool shares_descriptors) {
  process_begins();
  if (const EngineApi* api = loaded_engine()) api->after_fork_in_child(shares_descriptors);
}

bool fork_by_number(long number, const long (&arguments)[6], long* result) {
  unsigned long flags = 0;
  unsigned long stack = 0;
  switch (number) {
#ifdef SYS_fork  // not on aarch64
    case SYS_fork:
      break;
#endif
    case SYS_clone:
      flags = static_cast<unsigned long>(arguments[0]);
      stack = static_cast<unsigned long>(arguments[1]);
      break;
    case SYS_clone3: {
      const auto* given = reinterpret_cast<const clone_args*>(arguments[0]);
      if (given == nullptr || arguments[1] < CLONE_ARGS_SIZE_VER0) return false;
      flags = given->flags;
      stack = given->stack;
      break;
    }
    default:
      return false;
  }
  if (!makes_process(flags) || stack != 0) return false;
  about_to_enter_namespaces(flags);
  before_process();
  *result = real().syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                           arguments[4], arguments[5]);
  if (*result == 0) {
    after_process_in_child((flags & CLONE_FILES) != 0);
  } else {
    after_process_in_parent();
  }
  return true;
}

}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

#define CLONE_HOOK(name)                                                                        \
  int name(int (*function)(void*), void* stack, int flags, void* argument, ...) noexcept {      \
    va_list list; /* those that were not given are anything */                                  \
    va_start(list, argument);                                                                   \
    auto* parent_id = va_arg(list, pid_t*);                                                     \
    void* tls = va_arg(list, void*);                                                            \
    auto* child_id = va_arg(list, pid_t*);                                                      \
    va_end(list);                                                                               \
    return clone_hook(real().name, function, stack, flags, argument, parent_id, tls, child_id); \
  }
CLONE_HOOK(clone)
CLONE_HOOK(__clone)

}  // extern "C"
#pragma GCC visibility pop
