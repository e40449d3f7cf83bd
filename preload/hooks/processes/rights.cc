// Hooks of changing the user (apt's methods, servers) and the root directory: see rights.h. A process that has not the rights of another
// user to give up pays nothing.
#include "preload/hooks/processes/rights.h"

#include <sched.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>

#include "preload/hooks/library.h"
#include "preload/hooks/processes/inherited.h"

namespace cassette {

void keep_rights() {
  if (inside_engine || !library_active() || !is_own_process()) return;
  int saved = errno;
  if (const EngineApi* api = engine()) {
    EngineCall call = enter_engine();
    keep_library();
    api->keep_rights();
    exit_engine(call);
  }
  errno = saved;
}

void about_to_become(uid_t user) {
  if (user != static_cast<uid_t>(-1) && user != geteuid()) keep_rights();
}

void about_to_enter_namespaces(unsigned long flags) {
  if ((flags & (CLONE_NEWNS | CLONE_NEWUSER)) != 0) keep_rights();
}

}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int setuid(uid_t user) noexcept {
  about_to_become(user);
  return real().setuid(user);
}

int seteuid(uid_t user) noexcept {
  about_to_become(user);
  return real().seteuid(user);
}

int setreuid(uid_t user, uid_t effective) noexcept {
  about_to_become(effective);
  return real().setreuid(user, effective);
}

int setresuid(uid_t user, uid_t effective, uid_t saved) noexcept {
  about_to_become(effective);
  return real().setresuid(user, effective, saved);
}

int setfsuid(uid_t user) noexcept {
  about_to_become(user);
  return real().setfsuid(user);
}

int chroot(const char* path) noexcept {
  keep_rights();
  return real().chroot(path);
}

}  // extern "C"
#pragma GCC visibility pop
