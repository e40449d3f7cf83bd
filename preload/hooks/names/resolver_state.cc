// See resolver.h. Apart, because resolv.h declares the functions that resolver.cc defines, in each C library in another way.
#include <resolv.h>

#include "preload/hooks/names/resolver.h"

namespace cassette {

void set_resolver_error(struct __res_state* state, int error) { state->res_h_errno = error; }

}  // namespace cassette
