// How a process that gave up rights, or its root directory, tells the program that it becomes what it had opened before: by one variable.
// Needs libc alone: the thin library writes and reads it.
//
//   CASSETTE_INHERITED = <library>\n<runtime directory>\n<state directory>\n<configuration file>\n<number>:<device>:<inode>:<name>,...
//
// The first four are as the tree has them: the defaults of another user are others. An empty one is not told. The numbers are of open
// descriptors, all hexadecimal; device and inode are the file's, so that a number that was closed meanwhile is not taken for
// it; the name is a hash of what the file is called (inherited_name()): a path, mostly.
#pragma once

#include <cstdint>

namespace cassette {

inline constexpr char kInheritedVariable[] = "CASSETTE_INHERITED";

/// What the library's own files are called there; and beside it.
inline constexpr const char* kLibraryFiles[] = {"libcassette.so", "libcassette-engine.so",
                                                "libcassette-tls.so"};

/// FNV-1a, 64 bits.
constexpr std::uint64_t inherited_name(const char* name) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (; *name != '\0'; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3u;
  return hash;
}

}  // namespace cassette
