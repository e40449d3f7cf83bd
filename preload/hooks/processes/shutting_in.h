// What a program takes from itself, for the hooks of it and for syscall(2). Must need libc alone.
#pragma once

#include <sys/resource.h>

namespace cassette {

/// Before the limits of this process change; nullptr: they do not.
void about_to_limit(int resource, const rlimit64* limit);

}  // namespace cassette
