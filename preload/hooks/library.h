// The thin library's own state: whether it does anything at all, the environment it began with, and
// the engine once there is one. What every hook asks before it does something else than pass on.
//
// Must need libc alone, and must stay cheap for a process that never opens a connection.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>

#include "preload/engine_api.h"
#include "preload/hooks/real.h"
#include "preload/hooks/signals.h"
#include "preload/hooks/sockets/descriptors.h"

namespace cassette {

/// The calling thread is one of ours.
extern thread_local bool is_engine_thread;

/// How often the calling thread has begun to bypass the library (cassette.h).
extern thread_local unsigned bypass_depth;

/// Reads the environment once; ends the process with status 125 on a value that is not allowed.
/// Called by the constructor, and by hooks that run before it.
void ensure_started();

/// False in mode `off`.
bool library_active();

/// The effective user that the process began with.
uid_t user_at_start();

/// The engine, loaded with the first call; nullptr when that failed (said on stderr, once).
const EngineApi* engine();

/// The process ends: lets the engine leave the session. Loads it for that only in the root of a tree
/// whose session exists.
void leave_session();

/// The process ends with this status: what it recorded may depend on it.
void note_exit_status(int status);

/// The main thread ends, and leaves the others.
void main_thread_ends();
bool has_main_thread_ended();

/// Whether this process may write the table. A child of vfork() shares our memory, not our
/// descriptors: it may close all it wants, and changes nothing here.
bool owns_table();
/// From now on it may.
void own_table();

/// False in the child of a vfork(), and wherever else a process has our memory and is not ours.
bool is_own_process();

/// This process is the child of a fork, with memory of its own.
void process_begins();

/// The engine, if it is loaded.
const EngineApi* loaded_engine();

/// freeaddrinfo(3) for what real() has as getaddrinfo() gave; once there is an engine.
void free_addresses(addrinfo* list);

/// Before the program shuts itself in (chroot, seccomp, limits): loads the engine, and has it open and begin what cannot be
/// had later. `filtered` as in engine_api.h. Keeps errno.
void get_ready(bool filtered = false);

/// Bookends of a call into the engine. The engine holds locks and C++ frames: a thread is not cancelled inside it, nor
/// interrupted by a handler that may not come back. No destructor, because hooks are cancellation points themselves.
///
/// Nothing that may block is called in between: the program could not be interrupted there.
struct EngineCall {
  int cancel_state;
  bool was_inside;
};
inline EngineCall enter_engine() {
  EngineCall call{PTHREAD_CANCEL_ENABLE, inside_engine};
  inside_engine = true;  // first: what comes behind it cannot be left half done
  std::atomic_signal_fence(std::memory_order_seq_cst);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call.cancel_state);
  return call;
}
inline void exit_engine(EngineCall call) {
  pthread_setcancelstate(call.cancel_state, nullptr);
  leave_engine(call.was_inside);
}

/// True for a descriptor with a connection of ours behind it, unless the engine itself is asking.
inline bool is_connection(DescriptorTable::Owner owner) {
  return __builtin_expect(owner > DescriptorTable::kPrivate, 0) && !inside_engine;
}

}  // namespace cassette
