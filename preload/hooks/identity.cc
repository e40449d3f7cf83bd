// Hooks of changing the user (apt's methods, servers): the session belongs to who began it, and the files of its
// directory can be opened by nobody else. So what will be needed is opened before. A process that has not the rights
// of another user to give up pays nothing.
#include <unistd.h>

#include <cerrno>

#include "preload/hooks/library.h"

namespace cassette {
namespace {

constexpr uid_t kSame = static_cast<uid_t>(-1);

void about_to_become(uid_t user) {
  if (user == kSame || inside_engine || !library_active() || user == geteuid() || !is_own_process())
    return;
  int saved = errno;
  if (const EngineApi* api = engine()) {
    EngineCall call = enter_engine();
    api->keep_rights();
    exit_engine(call);
  }
  errno = saved;
}

}  // namespace
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

}  // extern "C"
#pragma GCC visibility pop
