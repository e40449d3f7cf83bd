// What the thin library says when the engine, which has the logger, is not there. libc alone.
#pragma once

namespace cassette {

/// Says "cassette: abc\n" on stderr (store/standard_error.h). Keeps errno.
void message(const char* a, const char* b = "", const char* c = "");

/// message(), then ends the process with status 125, without running anybody's destructors.
[[noreturn]] void fatal(const char* a, const char* b = "", const char* c = "");

}  // namespace cassette
