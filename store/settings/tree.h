// The identity of a process tree: made by its first process (the library's constructor, or `cassette
// run`), inherited by its children in CASSETTE_TREE, so that all of them use one session, one {program}
// and one directory for a relative cassette. Needs libc alone: the thin library includes it.
//
//   CASSETTE_TREE = <pid>-<nanoseconds since boot>:<program>:<working directory>
//
// The time is CLOCK_BOOTTIME when the variable was made: the root lives as long as a process with that
// pid exists that started before it (a reused pid starts later). <program> has only [A-Za-z0-9._-].
#pragma once

#include <unistd.h>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace cassette {

inline constexpr char kTreeVariable[] = "CASSETTE_TREE";

/// Interpreters whose script names the program: "a script's own name, not its interpreter's".
inline bool is_interpreter(const char* name) {
  static const char* const kNames[] = {"sh",    "bash", "dash", "zsh",    "ksh", "python",
                                       "perl",  "ruby", "node", "nodejs", "php", "java",
                                       "tclsh", "lua",  "pypy", "env"};
  for (const char* known : kNames) {
    std::size_t length = std::strlen(known);
    if (std::strncmp(name, known, length) != 0) continue;
    // "python3.11", "ruby3.1": a version may follow.
    const char* rest = name + length;
    while ((*rest >= '0' && *rest <= '9') || *rest == '.') ++rest;
    if (*rest == '\0') return true;
  }
  return false;
}

/// The name for {program}, into `out` (NUL-terminated, cut to `size`).
inline void program_name(int argc, const char* const* argv, char* out, std::size_t size) {
  auto base = [](const char* path) {
    const char* slash = std::strrchr(path, '/');
    return slash != nullptr && slash[1] != '\0' ? slash + 1 : path;
  };
  const char* name =
      argc > 0 && argv[0] != nullptr && argv[0][0] != '\0' ? base(argv[0]) : "program";
  if (name[0] == '-') ++name;  // a login shell
  if (is_interpreter(name)) {
    for (int i = 1; i < argc && argv[i] != nullptr; ++i) {
      if (argv[i][0] == '-') {
        // Options that take the program text: there is no script.
        if (std::strcmp(argv[i], "-c") == 0 || std::strcmp(argv[i], "-e") == 0) break;
        continue;
      }
      if (access(argv[i], R_OK) == 0) name = base(argv[i]);
      break;
    }
  }
  std::size_t n = 0;
  for (; name[n] != '\0' && n + 1 < size; ++n) {
    char c = name[n];
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '-';
    out[n] = plain ? c : '_';
  }
  out[n] = '\0';
}

/// Writes a new tree's variable value for this process into `out`. False when it does not fit.
inline bool make_tree(int argc, const char* const* argv, char* out, std::size_t size) {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  char program[128];
  program_name(argc, argv, program, sizeof program);
  int n = std::snprintf(out, size, "%ld-%lld%09ld:%s:", static_cast<long>(getpid()),
                        static_cast<long long>(now.tv_sec), now.tv_nsec, program);
  if (n < 0 || static_cast<std::size_t>(n) >= size) return false;
  return getcwd(out + n, size - static_cast<std::size_t>(n)) != nullptr;
}

/// The file in which the processes of a tree that `cassette run` began note the programs that the library
/// cannot enter, a line each: $CASSETTE_RUNTIME_DIR/<id>.not-entered. `cassette run` makes it and takes it away.
/// False when there is no tree.
template <typename GetVariable>
bool not_entered_file(GetVariable get, char* out, std::size_t size) {
  const char* tree = get(kTreeVariable);
  const char* runtime = get("CASSETTE_RUNTIME_DIR");
  if (tree == nullptr || runtime == nullptr) return false;
  const int length = static_cast<int>(strchrnul(tree, ':') - tree);
  const int n = std::snprintf(out, size, "%s/%.*s.not-entered", runtime, length, tree);
  return n > 0 && static_cast<std::size_t>(n) < size;
}

/// The directory of the session that a process with this environment belongs to, as session.h lays it
/// out: $CASSETTE_RUNTIME_DIR/sessions/<id>. `get` reads a variable (nullptr: not set). False when there is
/// no tree. Named sessions and those of one process are not looked for here: they are not ended by a root.
template <typename GetVariable>
bool session_directory(GetVariable get, char* out, std::size_t size) {
  const char* tree = get(kTreeVariable);
  if (tree == nullptr) return false;
  const char* end = std::strchr(tree, ':');
  int length = end != nullptr ? static_cast<int>(end - tree) : static_cast<int>(std::strlen(tree));
  const char* runtime = get("CASSETTE_RUNTIME_DIR");
  int n = runtime != nullptr && runtime[0] != '\0'
              ? std::snprintf(out, size, "%s/sessions/%.*s", runtime, length, tree)
              : std::snprintf(out, size, "/dev/shm/cassette-%u/sessions/%.*s",
                              static_cast<unsigned>(geteuid()), length, tree);
  return n > 0 && static_cast<std::size_t>(n) < size;
}

}  // namespace cassette
