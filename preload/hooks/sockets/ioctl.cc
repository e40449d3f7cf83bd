// Hook of ioctl(2): what is asked of the network by way of a connection (netdevice(7), SIOCOUTQNSD of tcp(7)), a pair does not
// know. Every other request passes with one look at its answer.
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdarg>

#include "preload/hooks/library.h"
#include "preload/hooks/sockets/passed_connection.h"

namespace cassette {
namespace {

/// The pair takes at once what the program sends: nothing is unsent.
int nothing_unsent(void* argument) {
  *static_cast<int*>(argument) = 0;
  return 0;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  const int result = real().ioctl(fd, request, argument);
  if (__builtin_expect(result == 0 || errno != ENOTTY, 1) || inside_engine) return result;
  PairName ignored;
  if (request == SIOCOUTQNSD && argument != nullptr && passed_connection(fd, &ignored))
    return nothing_unsent(argument);
  return ask_passed_network(fd, request, result, argument);
}

}  // extern "C"
#pragma GCC visibility pop
