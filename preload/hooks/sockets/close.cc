// Hooks of the life of descriptors: what a program closes and duplicates. They keep the table close
// to the truth and the engine's own descriptors out of reach; that an entry can be stale all the same
// (closes inside libc, exec, SCM_RIGHTS) is met by the identity check in the engine.
#include <fcntl.h>

#include <cerrno>
#include <climits>
#include <cstdarg>

#include "preload/hooks/connecting.h"
#include "preload/hooks/library.h"
#include "preload/hooks/processes/inherited.h"
#include "preload/hooks/processes/threads.h"

namespace cassette {
namespace {

using Owner = DescriptorTable::Owner;

/// Around the real call that takes a number away, which the swap must not see as one of its own (swap.cc of the engine). As in the
/// engine nobody leaves it by a jump: the count would stay.
class Change {
 public:
  explicit Change(int fd) : fd_(fd) {
    if (inside_engine || !descriptors.knows(fd)) return;
    call_ = enter_engine();
    counted_ = descriptors.begin_change(fd);
    if (!counted_) exit_engine(call_);
  }
  void end() {
    if (!counted_) return;
    descriptors.end_change(fd_);
    exit_engine(call_);
  }

 private:
  int fd_;
  bool counted_ = false;
  EngineCall call_{};
};

int close_number(decltype(&::close) next, int fd) {
  if (!inside_engine && descriptors.knows(fd)) pthread_testcancel();  // as close() does
  Change change(fd);
  const int result = next(fd);
  change.end();
  return result;
}

int close_hook(decltype(&::close) next, int fd) {
  Owner owner = descriptors.owner(fd);
  if (__builtin_expect(owner == DescriptorTable::kNobody, 1) || inside_engine || !owns_table()) {
    return close_number(next, fd);
  }
  if (owner == DescriptorTable::kPrivate)
    return 0;  // the program believes it is closing a stray one
  descriptors.set_owner(fd, DescriptorTable::kNobody);
  int result = close_number(next, fd);
  int saved = errno;
  EngineCall call = enter_engine();
  engine()->closed(owner);
  exit_engine(call);
  errno = saved;
  return result;
}

// `to` is now another name of what `from` is.
void follow(int from, int to) {
  if (to < 0 || from == to || inside_engine) return;
  Owner owner = descriptors.owner(from);
  if (owner == DescriptorTable::kNobody) descriptors.note_copy(from, to);
  if (__builtin_expect(
          owner > DescriptorTable::kPrivate || descriptors.owner(to) != DescriptorTable::kNobody,
          0) &&
      owns_table()) {
    descriptors.set_owner(to, owner > DescriptorTable::kPrivate ? owner : DescriptorTable::kNobody);
  }
}

// dup2() onto a number that the library uses would cut a connection off: it takes another one. False: there is none.
bool is_free(int from, int to) {
  if (__builtin_expect(descriptors.owner(to) != DescriptorTable::kPrivate, 1) || inside_engine ||
      !owns_table())
    return true;
  if (from == to || real().fcntl(from, F_GETFD) < 0) return true;  // nothing happens to it
  EngineCall call = enter_engine();
  const bool moved = move_kept_file(to) || engine()->make_way(to);
  exit_engine(call);
  if (!moved) errno = EBUSY;
  return moved;
}

int close_all_but_private(unsigned first, unsigned last, unsigned flags) {
  unsigned from = first;
  while (from <= last) {
    int kept = descriptors.next_private(from);
    unsigned until =
        kept < 0 || static_cast<unsigned>(kept) > last ? last : static_cast<unsigned>(kept) - 1;
    if (kept != static_cast<int>(from) && real().close_range != nullptr) {
      if (real().close_range(from, until, static_cast<int>(flags)) != 0) return -1;
    }
    if (kept < 0 || static_cast<unsigned>(kept) >= last) break;
    from = static_cast<unsigned>(kept) + 1;
  }
  return 0;
}

/// CLOSE_RANGE_UNSHARE means nothing to a program with one thread; beside ours it would part the two.
unsigned without_unsharing(unsigned flags) {
  if ((flags & CLOSE_RANGE_UNSHARE) != 0 && is_alone_beside_ours()) flags &= ~CLOSE_RANGE_UNSHARE;
  return flags;
}

int fcntl_hook(decltype(&::fcntl) next, int fd, int command, void* argument) {
  int result = next(fd, command, argument);
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) follow(fd, result);
  return result;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int close(int fd) { return close_hook(real().close, fd); }
int __close(int fd) { return close_hook(real().__close, fd); }

int dup(int fd) noexcept {
  int copy = real().dup(fd);
  follow(fd, copy);
  return copy;
}

int dup2(int from, int to) noexcept {
  if (!is_free(from, to)) return -1;
  Change change(to);
  int result = real().dup2(from, to);
  change.end();
  if (result >= 0) follow(from, to);
  if (__builtin_expect(result >= 0 && to == connecting.fd, 0)) note_replaced(to);
  return result;
}

int __dup2(int from, int to) noexcept { return dup2(from, to); }

int dup3(int from, int to, int flags) noexcept {
  if (!is_free(from, to)) return -1;
  Change change(to);
  int result = real().dup3(from, to, flags);
  change.end();
  if (result >= 0) follow(from, to);
  if (__builtin_expect(result >= 0 && to == connecting.fd, 0)) note_replaced(to);
  return result;
}

int fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  return fcntl_hook(real().fcntl, fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  return fcntl_hook(real().fcntl64, fd, command, argument);
}

// CLOSE_RANGE_CLOEXEC closes nothing, and ours have the flag anyway.
int close_range(unsigned first, unsigned last, int flags) noexcept {
  if (real().close_range == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  if ((flags & CLOSE_RANGE_CLOEXEC) != 0 || first > last || descriptors.next_private(first) < 0 ||
      !owns_table()) {
    return real().close_range(first, last, flags);
  }
  EngineCall call = enter_engine();
  descriptors.begin_changes();
  int result = close_all_but_private(first, last, without_unsharing(static_cast<unsigned>(flags)));
  descriptors.end_changes();
  exit_engine(call);
  return result;
}

void closefrom(int first) noexcept {
  unsigned from = first > 0 ? static_cast<unsigned>(first) : 0;
  bool plain = descriptors.next_private(from) < 0 || !owns_table();
  if (plain && real().closefrom != nullptr) {
    real().closefrom(first);
  } else {
    EngineCall call = enter_engine();
    descriptors.begin_changes();
    close_all_but_private(from, UINT_MAX, 0);
    descriptors.end_changes();
    exit_engine(call);
  }
}

}  // extern "C"
#pragma GCC visibility pop
