// Looks the real functions up. Must not allocate and must not call a hook.
#include "preload/hooks/real.h"

#include <dlfcn.h>

#include <cerrno>

#include "preload/hooks/message.h"

namespace cassette {

// Zero-initialised: usable before any constructor has run.
RealFunctions real_functions;
std::atomic<bool> real_resolved;

namespace {
enum Need { kRequired, kOptional };

void* find(const char* name, Need need) {
  void* function = dlsym(RTLD_NEXT, name);
  if (function == nullptr && need == kRequired) {
    fatal("libc has no ", name, ": this C library is not supported");
  }
  return function;
}
}  // namespace

void resolve_real() {
  int saved = errno;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#define HOOK(name, need) \
  real_functions.name = reinterpret_cast<decltype(&::name)>(find(#name, need));
#define API(name)
#include "preload/hooks/hooks.def"
#undef HOOK
#undef API
#pragma GCC diagnostic pop
  real_resolved.store(true, std::memory_order_release);
  errno = saved;
}

}  // namespace cassette
