// The environment as it was when the process began, of the variables that matter to the library: programs clear
// theirs, or write over it to change their title. Must need libc alone.
#pragma once

#include <cstddef>

namespace cassette {

/// Copies what matters. Before other threads are there.
void note_start_environment();

/// A variable's value, or nullptr. Valid for ever.
const char* start_environment(const char* name);

/// The copies one after the other, "NAME=value": begins with nullptr, ends with nullptr.
const char* next_start_variable(const char* entry);

/// Sets a variable of the process's own environment, for children; nullptr takes it away. One call at a time.
void put_variable(const char* name, const char* value);

}  // namespace cassette
