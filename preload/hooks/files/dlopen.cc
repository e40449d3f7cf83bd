// RTLD_DEEPBIND gives an object its own libc before ours: all its connections would pass the hooks (PHP
// loads its extensions so). The flag is taken away.
#include <dlfcn.h>

#include "preload/hooks/library.h"

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

// The call below has to be the last thing that is done, a jump: libc looks at the return address for who asks,
// whose RUNPATH counts (dlopen(3)).
void* dlopen(const char* file, int flags) noexcept {
  return real().dlopen(file, library_active() ? flags & ~RTLD_DEEPBIND : flags);
}

}  // extern "C"
#pragma GCC visibility pop
