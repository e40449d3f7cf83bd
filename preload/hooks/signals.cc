// See signals.h. sigaction(2), signal(7), rt_sigqueueinfo(2); of the older functions bsd_signal(3), sysv_signal(3), sigset(3),
// siginterrupt(3), which in libc do not pass by sigaction().
//
// Thread safety: everything from any thread and from handlers. Two threads that change one signal at a time get one of
// both handlers, as without the library.
#include "preload/hooks/signals.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>

#include "preload/hooks/library.h"

namespace cassette {

thread_local bool inside_engine;
thread_local std::atomic<std::uint64_t> signals_put_off;

namespace {

using Handler = void (*)(int, siginfo_t*, void*);

/// What the program has installed. An entry holds while the kernel has `first_handler` for that signal.
struct Installed {
  std::atomic<Handler> handler;
  std::atomic<int> flags;  ///< those of kShown that the program gave
};
Installed installed[NSIG];

/// What is done here in the kernel's place: its SA_RESETHAND would have forgotten a handler that is put off.
constexpr int kShown = static_cast<int>(SA_SIGINFO | SA_RESETHAND);

/// Whether handlers are installed with ours before them.
std::atomic<bool> puts_first;

std::atomic<bool> puts_off{true};

/// siginterrupt(): signal() then makes system calls fail with EINTR.
std::atomic<std::uint64_t> interrupting;

std::uint64_t bit(int number) { return std::uint64_t{1} << (number - 1); }

void first_handler(int number, siginfo_t* info, void* context) {
  if (__builtin_expect(inside_engine, 0) && !is_engine_thread &&
      puts_off.load(std::memory_order_relaxed)) {
    int saved = errno;
    sigset_t this_one;
    sigemptyset(&this_one);
    sigaddset(&this_one, number);
    // Of SA_NODEFER it would come again here and now.
    pthread_sigmask(SIG_BLOCK, &this_one, nullptr);
    const bool queued =
        real().syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), number, info) == 0;
    errno = saved;
    if (queued) {
      signals_put_off.fetch_or(bit(number), std::memory_order_relaxed);
      sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, number);
      return;
    }
  }
  const Installed& entry = installed[number];
  const Handler handler = entry.handler.load(std::memory_order_acquire);
  if ((entry.flags.load(std::memory_order_relaxed) & static_cast<int>(SA_RESETHAND)) != 0) {
    struct sigaction action {};
    real().sigaction(number, nullptr, &action);
    action.sa_flags = (action.sa_flags & ~kShown) | entry.flags.load(std::memory_order_relaxed);
    action.sa_handler = SIG_DFL;
    real().sigaction(number, &action, nullptr);
  }
  // One that takes less than three arguments does not see the others.
  handler(number, info, context);
}

/// Faults, and what abort() raises, are of the instruction that runs.
bool can_wait(int number) {
  switch (number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
      return false;
    default:
      return number > 0 && number < NSIG;
  }
}

bool is_function(const struct sigaction& action) {
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

/// The program does not see ours.
void show(struct sigaction* action, Handler handler, int flags) {
  if (action == nullptr || action->sa_sigaction != first_handler) return;
  action->sa_sigaction = handler;
  action->sa_flags = (action->sa_flags & ~kShown) | flags;
}

int install(Installed& entry, decltype(&::sigaction) next, int number,
            const struct sigaction& action, struct sigaction* old) {
  struct sigaction ours = action;
  ours.sa_sigaction = first_handler;
  ours.sa_flags = (action.sa_flags & ~kShown) | SA_SIGINFO;
  entry.flags.store(action.sa_flags & kShown, std::memory_order_relaxed);
  entry.handler.store(action.sa_sigaction, std::memory_order_release);
  return next(number, &ours, old);
}

int change(decltype(&::sigaction) next, int number, const struct sigaction* action,
           struct sigaction* old) {
  if (!can_wait(number)) return next(number, action, old);
  Installed& entry = installed[number];
  const Handler handler = entry.handler.load(std::memory_order_acquire);
  const int flags = entry.flags.load(std::memory_order_relaxed);
  // Another process with our memory (vfork) has dispositions of its own.
  const bool replaces = action != nullptr && is_function(*action) &&
                        puts_first.load(std::memory_order_acquire) &&
                        action->sa_sigaction != first_handler && is_own_process();
  if (!replaces) {
    const int result = next(number, action, old);
    if (result == 0) show(old, handler, flags);
    return result;
  }
  const int result = install(entry, next, number, *action, old);
  if (result == 0) show(old, handler, flags);
  return result;
}

/// Ours before one that is installed already. Another thread may install one meanwhile: that one holds.
void put_first_handler(int number, struct sigaction action) {
  Installed& entry = installed[number];
  while (is_function(action) && action.sa_sigaction != first_handler) {
    const Handler handler = entry.handler.load(std::memory_order_acquire);
    const int flags = entry.flags.load(std::memory_order_relaxed);
    struct sigaction before {};
    if (install(entry, real().sigaction, number, action, &before) != 0) return;
    if (before.sa_sigaction == action.sa_sigaction) return;
    if (before.sa_sigaction == first_handler) {
      entry.flags.store(flags, std::memory_order_relaxed);
      entry.handler.store(handler, std::memory_order_release);
      return;
    }
    action = before;
    if (!is_function(action)) real().sigaction(number, &action, nullptr);
  }
}

/// signal(2) and its kind, by their flags.
sighandler_t change(int number, sighandler_t handler, int flags) {
  struct sigaction action {};
  struct sigaction old {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  if ((flags & SA_NODEFER) == 0) sigaddset(&action.sa_mask, number);
  if (handler == SIG_ERR || number < 1) {
    errno = EINVAL;
    return SIG_ERR;
  }
  return ::sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

}  // namespace

void put_first_handlers() {
  if (puts_first.exchange(true, std::memory_order_acq_rel)) return;
  int saved = errno;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (can_wait(number) && real().sigaction(number, nullptr, &action) == 0)
      put_first_handler(number, action);
  }
  errno = saved;
}

void put_no_signal_off() { puts_off.store(false, std::memory_order_relaxed); }

void let_signals_in() {
  const std::uint64_t numbers = signals_put_off.exchange(0, std::memory_order_relaxed);
  sigset_t set;
  sigemptyset(&set);
  for (int number = 1; number < NSIG; ++number) {
    if ((numbers & bit(number)) != 0) sigaddset(&set, number);
  }
  int saved = errno;
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  errno = saved;
}

}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int sigaction(int number, const struct sigaction* action, struct sigaction* old) noexcept {
  return change(real().sigaction, number, action, old);
}

int __sigaction(int number, const struct sigaction* action, struct sigaction* old) noexcept {
  return change(real().__sigaction, number, action, old);
}

sighandler_t signal(int number, sighandler_t handler) noexcept {
  const bool fails = number > 0 && number < NSIG &&
                     (interrupting.load(std::memory_order_relaxed) & bit(number)) != 0;
  return change(number, handler, fails ? 0 : SA_RESTART);
}

sighandler_t bsd_signal(int number, sighandler_t handler) noexcept {
  return signal(number, handler);
}

sighandler_t ssignal(int number, sighandler_t handler) noexcept { return signal(number, handler); }

sighandler_t sysv_signal(int number, sighandler_t handler) noexcept {
  return change(number, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER));
}

sighandler_t __sysv_signal(int number, sighandler_t handler) noexcept {
  return sysv_signal(number, handler);
}

int siginterrupt(int number, int interrupts) noexcept {
  const int result = real().siginterrupt(number, interrupts);
  if (result == 0 && interrupts != 0) interrupting.fetch_or(bit(number));
  if (result == 0 && interrupts == 0) interrupting.fetch_and(~bit(number));
  return result;
}

sighandler_t sigset(int number, sighandler_t handler) noexcept {
  if (handler == SIG_HOLD || handler == SIG_DFL || handler == SIG_IGN || handler == SIG_ERR) {
    struct sigaction old {};
    const bool known = ::sigaction(number, nullptr, &old) == 0;
    const sighandler_t before = real().sigset(number, handler);
    return before == SIG_ERR || before == SIG_HOLD || !known ? before : old.sa_handler;
  }
  struct sigaction action {};
  struct sigaction old {};
  action.sa_handler = handler;
  if (::sigaction(number, &action, &old) != 0) return SIG_ERR;
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, number);
  if (pthread_sigmask(SIG_UNBLOCK, &set, &before) != 0) return SIG_ERR;
  return sigismember(&before, number) == 1 ? SIG_HOLD : old.sa_handler;
}

}  // extern "C"
#pragma GCC visibility pop
