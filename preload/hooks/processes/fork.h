// New processes that are made past the handlers of pthread_atfork(3): _Fork(3), clone(2), and fork, clone and clone3 by
// their numbers. The engine is told of them as of a fork(3). Must need libc alone.
#pragma once

#include <sys/types.h>

namespace cassette {

/// For the entries of a loaded object that lead to _Fork(3), whose name the library does not export; nullptr: there is none.
/// `object` as dlsym(3) takes it.
void* hook_of_fork(void* object);

/// Is it a copy of this process that a clone(2) with these flags makes? Threads, and the children of a vfork(2), have its
/// memory.
bool makes_process(unsigned long flags);

/// Around the call. In the child: `shares_descriptors` as in engine_api.h. Async-signal-safe where fork(3) is.
void before_process();
void after_process_in_parent();
void after_process_in_child(bool shares_descriptors);

/// fork, clone or clone3 by number, with the arguments of syscall(2). False: that makes no process, or it begins on another
/// stack, where no hook can follow.
bool fork_by_number(long number, const long (&arguments)[6], long* result);

}  // namespace cassette
