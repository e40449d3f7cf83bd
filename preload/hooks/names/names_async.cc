// getaddrinfo_a(3) and its kind. libc's own resolves within libc, past the hooks; this one does by getaddrinfo(), in threads, so that
// such names are remembered, and made up in replay. What it does otherwise is what glibc's does: at most some threads at a time,
// which end when nothing is left, and start with all signals blocked.
//
// Thread safety: everything from any thread. The lock is held inside the engine (library.h), for moments: no handler jumps out
// of it. A child begins with nothing under way.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "preload/hooks/library.h"

namespace cassette {
namespace {

constexpr int kMostThreads = 20;  ///< as glibc

/// What one call asked for, and who is told when all of it is done.
struct Batch {
  int left;
  sigevent told;
  pid_t caller;
};

struct Job {
  gaicb* request;
  Batch* batch;
  Job* next;
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Job* first;
Job* last;
int threads;
pid_t process;
/// Counts what is done; who waits sleeps on it.
std::atomic<std::uint32_t> done;

EngineCall lock() {
  EngineCall call = enter_engine();
  if (process != getpid()) {  // the threads are the parent's
    process = getpid();
    pthread_mutex_init(&mutex, nullptr);
    first = last = nullptr;
    threads = 0;
  }
  pthread_mutex_lock(&mutex);
  return call;
}

void unlock(EngineCall call) {
  pthread_mutex_unlock(&mutex);
  exit_engine(call);
}

/// It is where glibc's gai_error() looks, too.
void set_state(gaicb* request, int state) {
  __atomic_store_n(&request->__return, state, __ATOMIC_RELEASE);
}
int state_of(const gaicb* request) { return __atomic_load_n(&request->__return, __ATOMIC_ACQUIRE); }

void tell(const Batch& batch) {
  if (batch.told.sigev_notify == SIGEV_SIGNAL) {
    siginfo_t info{};
    info.si_signo = batch.told.sigev_signo;
    info.si_code = SI_ASYNCNL;
    info.si_pid = batch.caller;
    info.si_uid = getuid();
    info.si_value = batch.told.sigev_value;
    real().syscall(SYS_rt_sigqueueinfo, batch.caller, batch.told.sigev_signo, &info);
  } else if (batch.told.sigev_notify == SIGEV_THREAD) {
    auto* copy = static_cast<sigevent*>(std::malloc(sizeof(sigevent)));
    if (copy == nullptr) return;
    *copy = batch.told;
    pthread_attr_t attributes;
    pthread_attr_t* given = copy->sigev_notify_attributes;
    if (given == nullptr) {
      pthread_attr_init(&attributes);
      pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    }
    auto call = [](void* argument) -> void* {
      const sigevent event = *static_cast<sigevent*>(argument);
      std::free(argument);
      event.sigev_notify_function(event.sigev_value);
      return nullptr;
    };
    pthread_t thread;
    if (pthread_create(&thread, given != nullptr ? given : &attributes, call, copy) != 0)
      std::free(copy);
    if (given == nullptr) pthread_attr_destroy(&attributes);
  }
}

/// The request is done with, whether or not it was ever begun. Without the lock.
void settle(Job* job, int state) {
  EngineCall call = lock();
  set_state(job->request, state);
  const bool all = --job->batch->left == 0;
  unlock(call);
  done.fetch_add(1);
  real().syscall(SYS_futex, &done, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  if (all) {
    tell(*job->batch);
    std::free(job->batch);
  }
  std::free(job);
}

Job* take() {
  Job* job = first;
  if (job != nullptr) first = job->next;
  if (first == nullptr) last = nullptr;
  return job;
}

void* work(void*) {
  for (;;) {
    EngineCall call = lock();
    Job* job = take();
    if (job == nullptr) --threads;
    unlock(call);
    if (job == nullptr) return nullptr;
    gaicb* request = job->request;
    settle(job, getaddrinfo(request->ar_name, request->ar_service, request->ar_request,
                            &request->ar_result));
  }
}

bool start_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, work, nullptr) == 0;
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

/// Sleeps until something was done behind `seen`. An errno, or 0; `until` is of the monotonic clock.
int wait_behind(std::uint32_t seen, const timespec* until) {
  const long result = real().syscall(SYS_futex, &done, FUTEX_WAIT_BITSET_PRIVATE, seen, until,
                                     nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno == EAGAIN ? 0 : errno;
}

bool is_under_way(const gaicb* request) {
  return request != nullptr && state_of(request) == EAI_INPROGRESS;
}

/// Whether this file answers: libc's own does in mode `off`.
bool is_ours() {
  ensure_started();
  return library_active();
}

/// Puts the requests into the queue. How many: -1 without memory.
int enqueue(gaicb* const* list, int count, const sigevent* told) {
  auto* batch = static_cast<Batch*>(std::malloc(sizeof(Batch)));
  if (batch == nullptr) return -1;
  *batch = Batch{0, {}, getpid()};
  if (told != nullptr) {
    batch->told = *told;
  } else {
    batch->told.sigev_notify = SIGEV_NONE;
  }
  Job* jobs = nullptr;
  Job** place = &jobs;
  for (int i = 0; i < count; ++i) {
    if (list[i] == nullptr) continue;
    auto* job = static_cast<Job*>(std::malloc(sizeof(Job)));
    if (job == nullptr) break;
    *job = Job{list[i], batch, nullptr};
    *place = job;
    place = &job->next;
    ++batch->left;
  }
  const int queued = batch->left;
  if (queued == 0) {
    tell(*batch);
    std::free(batch);
    return 0;
  }
  EngineCall call = lock();
  for (Job* job = jobs; job != nullptr; job = job->next) {
    set_state(job->request, EAI_INPROGRESS);
    if (job->next == nullptr) {
      (last != nullptr ? last->next : first) = jobs;
      last = job;
    }
  }
  const int more = std::min(queued, kMostThreads - threads);
  threads += more;
  unlock(call);
  int failed = 0;
  for (int i = 0; i < more; ++i) failed += start_thread() ? 0 : 1;
  if (failed > 0) {
    call = lock();
    const bool nobody = (threads -= failed) == 0;
    if (nobody) ++threads;
    unlock(call);
    if (nobody) work(nullptr);  // here, then
  }
  return queued;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int getaddrinfo_a(int mode, gaicb* list[], int count, sigevent* told) {
  if (!is_ours()) {
    if (real().getaddrinfo_a != nullptr) return real().getaddrinfo_a(mode, list, count, told);
    errno = ENOSYS;
    return EAI_SYSTEM;
  }
  if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
    errno = EINVAL;
    return EAI_SYSTEM;
  }
  // Asked for now: its way in is what keeps handlers from jumping out of the lock.
  engine();
  if (enqueue(list, count, mode == GAI_WAIT ? nullptr : told) < 0) return EAI_MEMORY;
  if (mode == GAI_NOWAIT) return 0;
  for (int i = 0; i < count; ++i) {
    for (;;) {
      const std::uint32_t seen = done.load();
      if (!is_under_way(list[i])) break;
      wait_behind(seen, nullptr);
    }
  }
  return 0;
}

int gai_suspend(const gaicb* const list[], int count, const timespec* timeout) {
  if (!is_ours()) {
    return real().gai_suspend != nullptr ? real().gai_suspend(list, count, timeout) : EAI_ALLDONE;
  }
  timespec until{};
  if (timeout != nullptr) {
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout->tv_sec;
    until.tv_nsec += timeout->tv_nsec;
    if (until.tv_nsec >= 1'000'000'000) {
      ++until.tv_sec;
      until.tv_nsec -= 1'000'000'000;
    }
  }
  // As glibc: what was done before does not count.
  for (long ran = -1;;) {
    const std::uint32_t seen = done.load();
    const long running = std::count_if(list, list + count, is_under_way);
    if (ran < 0 && running == 0) return EAI_ALLDONE;
    if (ran >= 0 && running < ran) return 0;
    ran = running;
    switch (wait_behind(seen, timeout != nullptr ? &until : nullptr)) {
      case EINTR:
        return EAI_INTR;
      case ETIMEDOUT:
        return EAI_AGAIN;
      default:
        break;
    }
  }
}

int gai_cancel(gaicb* request) {
  if (!is_ours()) {
    return real().gai_cancel != nullptr ? real().gai_cancel(request) : EAI_ALLDONE;
  }
  if (request != nullptr && !is_under_way(request)) return EAI_ALLDONE;
  Job* cancelled = nullptr;
  EngineCall call = lock();
  Job** place = &first;
  Job* before = nullptr;
  while (Job* job = *place) {
    if (request == nullptr || job->request == request) {
      *place = job->next;
      job->next = cancelled;
      cancelled = job;
    } else {
      before = job;
      place = &job->next;
    }
  }
  last = before;
  const bool none_runs = threads == 0;
  unlock(call);
  const bool found = cancelled != nullptr;
  while (Job* job = cancelled) {
    cancelled = job->next;
    settle(job, EAI_CANCELED);
  }
  if (found) return EAI_CANCELED;
  return request == nullptr && none_runs ? EAI_ALLDONE : EAI_NOTCANCELED;
}

int gai_error(gaicb* request) noexcept { return state_of(request); }

}  // extern "C"
#pragma GCC visibility pop
