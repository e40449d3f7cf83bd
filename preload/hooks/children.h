// What goes along when a process becomes another program: the library and its settings, although the program
// cleared the environment; and a word about programs that it cannot go along to.
//
// Most of it may run in the child of a vfork(), which has its parent's memory: nothing is allocated, and
// nothing is written but the stack. Must need libc alone.
#pragma once

#include <cstddef>

namespace cassette {

/// How much memory another environment than the given one takes; no pointers: it is good as it is.
struct ChildSpace {
  std::size_t pointers = 0;
  std::size_t text = 0;
};

/// For a program that is about to be started with that environment (nullptr: none at all). A program that leaves
/// out the library and keeps our variables has decided so; one that has neither has cleared its
/// environment, and gets both; one that has another library to be loaded gets ours behind it.
ChildSpace child_space(char* const* given);
/// The environment, in memory of that size.
char* const* child_environment(char* const* given, char** pointers, char* text);

/// The same for this process's own environment, for functions that take that (system(3)). Changes it, so
/// not in the child of a vfork().
void restore_environment();

/// Says on stderr when the library will not be in a program that is about to be started; in a tree that
/// `cassette run` began once for each program. `path`: as execve(2) takes it.
void note_program(const char* path);
/// The same for an open file.
void note_program_file(int fd);
/// The same for a name that is looked for along PATH, as execvp(3) does.
void note_program_name(const char* name);

}  // namespace cassette
