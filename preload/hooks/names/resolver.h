// libc's resolver as a program calls it by itself (res_query(3) and its kind): a query of which nothing is recorded. Where nothing may
// go out it is answered as by a name server that is not there. So are the few functions of libc that resolve, and connect, past
// the hooks.
#pragma once

#include <cstdint>

struct __res_state;

namespace cassette {

/// What res_nquery(3) leaves in its state, beside h_errno.
void set_resolver_error(struct __res_state* state, int error);

/// Around a call of the real resolver, for a name that may be asked for: its own datagrams pass. Before glibc 2.34 they meet the
/// hooks (libresolv). A jump out of the call leaves the mark behind, which then counts for nothing: the stack is not deeper
/// than it, or what was there is overwritten.
class ResolverCall {
 public:
  ResolverCall();
  ~ResolverCall();
  ResolverCall(const ResolverCall&) = delete;
  ResolverCall& operator=(const ResolverCall&) = delete;

  /// The calling thread is in one.
  static bool is_running();

 private:
  std::uintptr_t mark_ = 0;
  ResolverCall* before_ = nullptr;
};

}  // namespace cassette
