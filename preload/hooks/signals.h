// What is inside the engine, and the signals that come meanwhile. A handler may leave what it interrupted for good (siglongjmp, an
// exception, another context, the end of the thread): in the engine that would leave locks held and bytes lost. So the program's
// handlers are called by one of ours, which puts a signal that finds the thread inside the engine back and blocks it
// until the thread leaves: some microseconds later it comes again, outside. The way in and out costs no system call.
// A process that has no engine has its handlers untouched.
//
// Not so: signals by which the processor tells of a fault (they cannot wait), libc's own, and handlers that
// are installed by number past sigaction(2) while the engine is there.
#pragma once

#include <atomic>
#include <cstdint>

namespace cassette {

/// True while the calling thread is in the engine: whatever it calls there goes to libc. Such a section does not block.
extern thread_local bool inside_engine;

/// Signals that were put off, by bit: number - 1.
extern thread_local std::atomic<std::uint64_t> signals_put_off;

/// The first call into the engine is about to be made: whatever handlers there are get ours before them. Idempotent.
void put_first_handlers();

/// From now on the process may make few system calls (seccomp(2)): to put a signal back may be none of them, and its end. Handlers
/// run at once; who jumps out of the engine then finds connections refused (connect.cc).
void put_no_signal_off();

/// Unblocks what was put off: the handlers run before it returns, or it does not return. Keeps errno if it does.
void let_signals_in();

/// The calling thread is inside no longer, or as before.
inline void leave_engine(bool was_inside) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  inside_engine = was_inside;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // Behind the line above none is put off any more.
  if (__builtin_expect(signals_put_off.load(std::memory_order_relaxed) != 0, 0) && !was_inside)
    let_signals_in();
}

}  // namespace cassette
