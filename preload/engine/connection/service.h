// The service thread: one a process, started with the first connection. It does what the fast path
// cannot: bytes that came past the hooks, responses larger than a socket's buffer, delayed
// responses, and all traffic with real servers.
//
// Thread safety: everything from any thread. Locks: a connection's mutex is taken before the service's.
#pragma once

#include <pthread.h>
#include <sys/epoll.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "preload/engine/connection/connection.h"

namespace cassette {

class Service {
 public:
  enum class End : std::uint8_t { kEngine, kOriginal };

  /// Starts the thread when there is none. An errno, or 0. Without it a connection is served by the program's own calls alone:
  /// enough for an answer of the cassette that the socket takes at once.
  int ensure_running();
  /// There is a thread.
  bool runs() const { return running_.load(std::memory_order_relaxed); }

  /// Changes what is waited for: `events` of epoll, 0 to stop. `*registered` is what was before, and is
  /// updated. Needs the connection's mutex.
  void watch(const Connection& connection, End end, int fd, std::uint32_t events,
             std::uint32_t* registered);
  /// Has the connection's look() called at that time (steady-clock nanoseconds), or sooner.
  void look_at(const Connection& connection, std::int64_t time);

  /// Its descriptor `from` is `to` from now on. False: it has none of that number. Needs every connection's mutex.
  bool move_number(int from, int to);

  /// Has the thread look around.
  void nudge();

  /// Runs `function(argument)` in the thread and waits for it; errno is the caller's as if it had run here, which it does
  /// where there is no thread. For a thread of the program's that may make few system calls (seccomp(2)). Not with a lock
  /// of the engine's held.
  void call(void (*function)(void*), void* argument);

  /// Around fork.
  void before_fork() { mutex_.lock(); }
  void after_fork_in_parent() { mutex_.unlock(); }
  /// `shares_descriptors`: the epoll instance is not closed, since it would be the parent's too.
  void after_fork_in_child(bool shares_descriptors);

  /// Ends the thread; when this returns it is gone from the process. False: there is none, or it is the caller.
  bool step_aside();
  /// Begins it again.
  void step_back();

 private:
  struct Ticket {
    std::uint32_t index;
    std::uint32_t generation;
  };

  /// What call() is waiting for; on its stack.
  struct Task {
    void (*function)(void*);
    void* argument;
    int error;
    bool done;
  };

  int start();
  static void* thread_main(void* self);
  void run();
  bool ends();
  int next_timeout();
  void end_with_the_last_thread();
  void serve(std::uint64_t tag, std::uint32_t events);
  void run_timers();
  void serve_timer(Connection* connection, const Ticket& ticket,
                   std::unique_lock<std::mutex>& lock);
  void run_tasks();
  int watch_wake();
  void take_wake();

  std::mutex mutex_;
  std::atomic<bool> running_ = false;  ///< changed under the mutex
  std::atomic<bool> stopping_ = false;
  std::atomic<pid_t> thread_ = 0;  ///< negative: it has ended
  std::atomic<int> epoll_ = -1;
  std::atomic<int> wake_ = -1;
  std::int64_t waiting_until_ = 0;  ///< what the thread sleeps for; 0: for ever
  std::multimap<std::int64_t, Ticket> timers_;
  std::vector<Task*> tasks_;
  std::condition_variable task_done_;
};

}  // namespace cassette
