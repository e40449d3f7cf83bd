// The identity of a process tree: made by its first process (the library's constructor, or `cassette
// run`), inherited by its children in CASSETTE_TREE, so that all of them use one session, one {program}
// and one directory for a relative cassette. Needs libc alone: the thin library includes it.
//
//   CASSETTE_TREE = <pid>-<nanoseconds since boot>:<program>[@<place>]:<working directory>
//
// The time is CLOCK_BOOTTIME when the variable was made: the root lives as long as a process with that
// pid exists that started before it (a reused pid starts later). <program> has only [A-Za-z0-9._-].
// <place> tells the runtime directory of the tree from another under the same path (RuntimePlace).
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "store/settings/inherited.h"

namespace cassette {

inline constexpr char kTreeVariable[] = "CASSETTE_TREE";

/// An interpreter, whose script names the program: "a script's own name, not its interpreter's". And how its command
/// line has to be read for that: which options have a value that is no script. Letters are those of short options, which
/// may be put together (`-uW ignore`); where `letters` is false an option is a word (`-cp PATH`).
struct Interpreter {
  const char* names;  ///< with spaces between them; a version may follow ("python3.11")
  bool letters;
  const char*
      code;  ///< the program itself is on the command line, or comes from stdin: there is no script
  const char* value;        ///< has a value: the rest of the argument, or else the next one
  const char* rest;         ///< has a value: the rest of the argument, which may be empty
  const char* next;         ///< has a value: always the next argument
  const char* named;        ///< has a value as `value`, and that names the program
  const char* words;        ///< long options that take the next argument
  const char* code_words;   ///< long options that are as `code`
  const char* named_words;  ///< long options that are as `named`
};

// From the manuals of Debian 12: bash(1), python3(1), perlrun(1), ruby(1), node(1), php(1), lua(1), tclsh(1), java(1), env(1).
inline constexpr Interpreter kInterpreters[] = {
    {"sh bash dash zsh ksh", true, "cs", "", "", "oO", "", "--rcfile --init-file", "", ""},
    {"python pypy", true, "c", "WXQ", "", "", "m", "--check-hash-based-pycs", "", ""},
    {"perl", true, "eE", "I", "MmFixdDVC", "", "", "", "", ""},
    {"ruby", true, "e", "IrCEX", "FiKxWT", "", "",
     "--enable --disable --encoding --external-encoding --internal-encoding --backtrace-limit", "",
     ""},
    {"node nodejs", true, "epi", "rC", "", "", "",
     "--require --import --loader --experimental-loader --conditions --env-file --title --input-type "
     "--icu-data-dir --openssl-config --redirect-warnings --unhandled-rejections --dns-result-order "
     "--max-http-header-size --inspect-port --diagnostic-dir --disable-warning --watch-path",
     "--eval --print --interactive", ""},
    {"php", true, "raBRFE", "dczSt", "", "", "f",
     "--define --php-ini --docroot --server --zend-extension",
     "--run --interactive --process-begin --process-code --process-file --process-end", "--file"},
    {"lua", true, "", "el", "", "", "", "", "", ""},
    {"tclsh", false, "", "", "", "", "", "-encoding", "", ""},
    {"java", false, "", "", "", "", "",
     "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --limit-modules "
     "--add-opens --add-exports --add-reads --enable-native-access --source",
     "", "-jar -m --module"},
    {"env", true, "S", "uC", "", "", "", "--unset --chdir", "--split-string", ""},
};

namespace tree_detail {

/// `word` is one of `words`.
inline bool is_among(const char* word, std::size_t length, const char* words) {
  while (*words != '\0') {
    const std::size_t size = std::strcspn(words, " ");
    if (size == length && std::strncmp(word, words, length) == 0) return true;
    words += size;
    while (*words == ' ') ++words;
  }
  return false;
}

/// The last part of a path.
struct Name {
  const char* begin;
  std::size_t length;
};

inline Name base_of(const char* path) {
  std::size_t end = std::strlen(path);
  while (end > 1 && path[end - 1] == '/') --end;
  std::size_t begin = end;
  while (begin > 0 && path[begin - 1] != '/') --begin;
  if (begin == end) begin = 0;  // the root of all
  return {path + begin, end - begin};
}

/// nullptr: it is none.
inline const Interpreter* interpreter_called(Name name) {
  std::size_t length = name.length;
  // "python3.11", "ruby3.1"
  while (length > 1 && ((name.begin[length - 1] >= '0' && name.begin[length - 1] <= '9') ||
                        name.begin[length - 1] == '.'))
    --length;
  for (const Interpreter& known : kInterpreters) {
    if (is_among(name.begin, length, known.names)) return &known;
  }
  return nullptr;
}

/// What an option says about the arguments behind it.
enum class Option { kFlag, kTakesNext, kCode, kNamed, kUnknown };

/// Short options that are put together. `named`: the value that names the program, when it is in this argument.
inline Option letters_of(const Interpreter& of, const char* letters, const char** named) {
  auto has = [](const char* list, char letter) { return std::strchr(list, letter) != nullptr; };
  Option result = Option::kFlag;
  for (; *letters != '\0'; ++letters) {
    if (has(of.code, *letters)) return Option::kCode;
    if (has(of.rest, *letters)) break;
    if (has(of.next, *letters)) result = Option::kTakesNext;
    if (has(of.value, *letters)) return letters[1] != '\0' ? result : Option::kTakesNext;
    if (has(of.named, *letters)) {
      if (letters[1] != '\0') *named = letters + 1;
      return Option::kNamed;
    }
  }
  return result;
}

inline Option option_of(const Interpreter& of, const char* option, const char** named) {
  const std::size_t length = std::strlen(option);
  if (is_among(option, length, of.code_words)) return Option::kCode;
  if (is_among(option, length, of.named_words)) return Option::kNamed;
  if (is_among(option, length, of.words)) return Option::kTakesNext;
  if (of.letters && option[1] != '-') return letters_of(of, option + 1, named);
  return std::strchr(option, '=') != nullptr || option[0] == '+' ? Option::kFlag : Option::kUnknown;
}

/// Where the name of the program stands in a command line.
inline Name find_name(int argc, const char* const* argv) {
  if (argc < 1 || argv[0] == nullptr || argv[0][0] == '\0') return {"program", 7};
  Name name = base_of(argv[0]);
  if (name.begin[0] == '-' && name.length > 1)
    name = {name.begin + 1, name.length - 1};  // a login shell
  const Interpreter* interpreter = interpreter_called(name);
  if (interpreter == nullptr) return name;
  const bool is_env = std::strcmp(interpreter->names, "env") == 0;
  const bool is_shell = interpreter->next[0] != '\0';
  const bool is_java = std::strcmp(interpreter->names, "java") == 0;
  Option before = Option::kFlag;
  bool options = true;
  for (int i = 1; i < argc && argv[i] != nullptr; ++i) {
    const char* argument = argv[i];
    if (before == Option::kNamed) return base_of(argument);
    if (before == Option::kTakesNext) {
      before = Option::kFlag;
      continue;
    }
    if (options && (argument[0] == '-' || (is_shell && argument[0] == '+'))) {
      if (std::strcmp(argument, "--") == 0 || (is_shell && argument[1] == '\0')) {
        options = false;
        before = Option::kFlag;
        continue;
      }
      if (argument[1] == '\0' && !is_env) return name;  // from stdin
      const char* named = nullptr;
      before = option_of(*interpreter, argument, &named);
      if (before == Option::kCode) return name;
      if (named != nullptr) return base_of(named);
      continue;
    }
    if (is_env && std::strchr(argument, '=') != nullptr) continue;
    if (is_env) return find_name(argc - i, argv + i);
    // A class, and what java reads more arguments from.
    if (is_java && argument[0] == '@') continue;
    if (is_java || access(argument, R_OK) == 0) return base_of(argument);
    // Perhaps the value of an option that is not known here.
    if (before != Option::kUnknown) return name;
    before = Option::kFlag;
  }
  return name;
}

}  // namespace tree_detail

/// The name for {program}, into `out` (NUL-terminated, cut to `size`): that of the script, the module (`python3 -m`) or
/// the class that an interpreter is to run; where it has its program from the command line (`-c`, `-e`), its own.
inline void program_name(int argc, const char* const* argv, char* out, std::size_t size) {
  const tree_detail::Name name = tree_detail::find_name(argc, argv);
  std::size_t n = 0;
  for (; n < name.length && n + 1 < size; ++n) {
    char c = name.begin[n];
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '-';
    out[n] = plain ? c : '_';
  }
  out[n] = '\0';
}

/// The runtime directory as it was when a tree began: what its path, or the longest part of it that was there, led to. Where that leads
/// to another directory (a sandbox with a /dev/shm of its own), the tree's session is not to be found.
struct RuntimePlace {
  std::uint64_t path = 0;  ///< a hash of it
  std::uint64_t length = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool operator==(const RuntimePlace&) const = default;
};

/// `length`: look at that much of the path alone; 0: at as much as is there. False: nothing is, or it is not absolute.
inline bool find_place(const char* path, std::size_t length, RuntimePlace* place) {
  char part[4096];
  const std::size_t size = std::strlen(path);
  if (path[0] != '/' || size >= sizeof part || length > size) return false;
  std::memcpy(part, path, size + 1);
  const bool searches = length == 0;
  std::size_t end = searches ? size : length;
  struct stat status {};
  for (;;) {
    part[end] = '\0';
    if (stat(part, &status) == 0) break;
    if (!searches) return false;
    while (end > 1 && part[end - 1] != '/') --end;
    if (end > 1) --end;
    if (end <= 1) return false;
  }
  *place = {inherited_name(path), end, status.st_dev, status.st_ino};
  return true;
}

/// The place out of the variable's value. False: it has none.
inline bool read_place(const char* tree, RuntimePlace* place) {
  const char* program = std::strchr(tree, ':');
  if (program == nullptr) return false;
  const char* at = program + 1 + std::strcspn(program + 1, ":@");
  if (*at != '@') return false;
  std::uint64_t* numbers[] = {&place->path, &place->length, &place->device, &place->inode};
  for (std::uint64_t* number : numbers) {
    char* end = nullptr;
    *number = std::strtoull(at + 1, &end, 16);
    at = end;
  }
  return *at == ':';
}

/// What is used where nothing is said.
inline void default_runtime_directory(char* out, std::size_t size) {
  std::snprintf(out, size, "/dev/shm/cassette-%u", static_cast<unsigned>(geteuid()));
}

/// Writes a new tree's variable value for this process into `out`. `runtime_directory`: nullptr or empty: the default. False
/// when it does not fit.
inline bool make_tree(int argc, const char* const* argv, const char* runtime_directory, char* out,
                      std::size_t size) {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  char program[128];
  program_name(argc, argv, program, sizeof program);
  char standard[64];
  if (runtime_directory == nullptr || runtime_directory[0] == '\0') {
    default_runtime_directory(standard, sizeof standard);
    runtime_directory = standard;
  }
  char where[80] = "";
  RuntimePlace place;
  if (find_place(runtime_directory, 0, &place)) {
    std::snprintf(where, sizeof where, "@%llx-%llx-%llx-%llx",
                  static_cast<unsigned long long>(place.path),
                  static_cast<unsigned long long>(place.length),
                  static_cast<unsigned long long>(place.device),
                  static_cast<unsigned long long>(place.inode));
  }
  int n = std::snprintf(out, size, "%ld-%lld%09ld:%s%s:", static_cast<long>(getpid()),
                        static_cast<long long>(now.tv_sec), now.tv_nsec, program, where);
  if (n < 0 || static_cast<std::size_t>(n) >= size) return false;
  return getcwd(out + n, size - static_cast<std::size_t>(n)) != nullptr;
}

/// A list of a tree that `cassette run` began, which makes it and takes it away: $CASSETTE_RUNTIME_DIR/<id>.<kind>. False when
/// there is no tree.
template <typename GetVariable>
bool tree_list(GetVariable get, const char* kind, char* out, std::size_t size) {
  const char* tree = get(kTreeVariable);
  const char* runtime = get("CASSETTE_RUNTIME_DIR");
  if (tree == nullptr || runtime == nullptr) return false;
  const int length = static_cast<int>(strchrnul(tree, ':') - tree);
  const int n = std::snprintf(out, size, "%s/%.*s.%s", runtime, length, tree, kind);
  return n > 0 && static_cast<std::size_t>(n) < size;
}

/// What a line of not_entered_file() says of a program, behind its name and a reason, with tabs between the three.
inline constexpr char kNotStarted[] = "not started";
inline constexpr char kNotInSession[] = "not in session";  ///< and its requests were missed

/// Where its processes note the programs that the library cannot enter, a line each; and those that were not started for that, or
/// could not join the session.
template <typename GetVariable>
bool not_entered_file(GetVariable get, char* out, std::size_t size) {
  return tree_list(get, "not-entered", out, size);
}

/// And what they could not say on their stderr: lines of messages, which `cassette run` says at its end.
template <typename GetVariable>
bool unsaid_file(GetVariable get, char* out, std::size_t size) {
  return tree_list(get, "unsaid", out, size);
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
  char standard[64];
  default_runtime_directory(standard, sizeof standard);
  if (runtime == nullptr || runtime[0] == '\0') runtime = standard;
  int n = std::snprintf(out, size, "%s/sessions/%.*s", runtime, length, tree);
  return n > 0 && static_cast<std::size_t>(n) < size;
}

}  // namespace cassette
