// What the thin library says when the engine, which has the logger, is not there. libc alone.
#pragma once

namespace cassette {

/// Says "cassette: abc\n" on stderr (store/standard_error.h). Keeps errno.
void message(const char* a, const char* b = "", const char* c = "");

/// The same about a program that is about to be executed: in a child that was forked for it, descriptor 2 is the program's.
void message_of_program(const char* a, const char* b = "", const char* c = "");

/// What descriptor 2 is now is where messages go from now on (store/standard_error.h).
void begin_messages_of_process();

/// message(), then ends the process with status 125, without running anybody's destructors.
[[noreturn]] void fatal(const char* a, const char* b = "", const char* c = "");

}  // namespace cassette
