// What goes along when a process becomes another program: the library and its settings, although the program
// cleared the environment; and a word about programs that it cannot go along to. Where the library would go along, and this
// user, or this root directory, has it not, the program is not started: it would run as if nothing were there.
//
// Most of it may run in the child of a vfork(), which has its parent's memory: nothing is allocated, and
// nothing is written but the stack. Must need libc alone.
#pragma once

#include <cstddef>

#include "preload/hooks/processes/inherited.h"

namespace cassette {

/// What is to become of a program that is about to be started.
struct Start {
  bool refused = false;     ///< it is not to be started: the library would not be in it
  bool goes_along = false;  ///< the library goes into it
  LibraryWay way = LibraryWay::kPath;
};

/// `path`: as execve(2) takes it; nullptr: nothing is known of the file. `environment`: what it is given.
/// Says on stderr when the library will not be in the program, or when it is refused; in a tree that `cassette run` began
/// once for each program, which is in its list then.
Start look_at_program(const char* path, char* const* environment);
/// The same for an open file.
Start look_at_file(int fd, char* const* environment);
/// The same for a name that is looked for along PATH, as execvp(3) does.
Start look_at_name(const char* name, char* const* environment);

/// What could not be put on the list in the child of a vfork(), which has another user by now, is put there.
void note_of_children();

/// How much memory another environment than the given one takes; no pointers: it is good as it is.
struct ChildSpace {
  std::size_t pointers = 0;
  std::size_t text = 0;
  std::size_t kept = 0;  ///< files that are handed over
};

/// For a program that is about to be started with that environment (nullptr: none at all). A program that leaves
/// out the library and keeps our variables has decided so; one that has neither has cleared its
/// environment, and gets both; one that has another library to be loaded gets ours behind it. What is kept open
/// (inherited.h) is told.
ChildSpace child_space(char* const* given, const Start& start);
/// The environment, in memory of that size.
char* const* child_environment(char* const* given, const Start& start, const ChildSpace& space,
                               char** pointers, char* text);

/// The same for this process's own environment, for functions that take that (system(3)). Changes it, so
/// not in the child of a vfork().
void restore_environment(const Start& start);

}  // namespace cassette
