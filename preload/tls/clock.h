// What time it is for the TLS object, OpenSSL included: libcassette-tls.so is linked with --wrap=time. A program may live at
// another date than the machine (libfaketime), and looks at certificates with that.
#pragma once

#include <ctime>

namespace cassette {

/// From now on time(2) asks there. Before: libc's own clock.
void use_clock(std::time_t (*now)());

}  // namespace cassette
