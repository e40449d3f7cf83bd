// Hooks of unshare(2) and setns(2). A user namespace is for processes with one thread, and so is joining a mount namespace;
// and a thread that stays behind in the old ones would look names up there. So the engine's thread steps aside meanwhile,
// where the program has but one.
#include <sched.h>

#include <cerrno>

#include "preload/hooks/library.h"
#include "preload/hooks/processes/rights.h"
#include "preload/hooks/processes/threads.h"

namespace cassette {

namespace {

/// CLONE_NEWPID is of the children that follow, and no thread can be begun behind it.
constexpr int kWantOneThread = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS |
                               CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_FS | CLONE_THREAD |
                               CLONE_SIGHAND | CLONE_VM;

template <typename Call>
int without_thread(bool wanted, Call call) {
  const EngineApi* api = loaded_engine();
  if (!wanted || api == nullptr || inside_engine || !owns_table() || !is_alone_beside_ours())
    return call();
  EngineCall entered = enter_engine();
  const bool stepped_aside = api->step_aside();
  exit_engine(entered);
  const int result = call();
  int saved = errno;
  if (stepped_aside) {
    entered = enter_engine();
    api->step_back();
    exit_engine(entered);
  }
  errno = saved;
  return result;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int unshare(int flags) noexcept {
  about_to_enter_namespaces(static_cast<unsigned>(flags));
  return without_thread((flags & kWantOneThread) != 0, [&] { return real().unshare(flags); });
}

int setns(int fd, int kind) noexcept {
  about_to_enter_namespaces(kind == 0 ? CLONE_NEWNS : static_cast<unsigned>(kind));
  return without_thread(true, [&] { return real().setns(fd, kind); });
}

}  // extern "C"
#pragma GCC visibility pop
