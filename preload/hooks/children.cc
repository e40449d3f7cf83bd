// See children.h.
#include "preload/hooks/children.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "preload/hooks/library.h"
#include "preload/hooks/message.h"
#include "preload/hooks/start_environment.h"
#include "store/settings/preloadable.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

constexpr char kPreload[] = "LD_PRELOAD=";
constexpr char kLibrary[] = "libcassette.so";
/// Threads may have small stacks. A longer path is not looked at.
constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kNowhere = ~std::size_t{0};

bool begins_with(const char* text, const char* prefix) {
  return std::strncmp(text, prefix, std::strlen(prefix)) == 0;
}

/// What an environment says about us.
struct Findings {
  std::size_t count = 0;
  std::size_t preload = kNowhere;  ///< where LD_PRELOAD stands, with something in it
  bool has_library = false;
  bool has_settings = false;  ///< any CASSETTE*
};

Findings look_at(char* const* environment) {
  Findings found;
  for (; environment != nullptr && environment[found.count] != nullptr; ++found.count) {
    const char* entry = environment[found.count];
    if (begins_with(entry, kPreload) && entry[sizeof kPreload - 1] != '\0') {
      found.preload = found.count;
      found.has_library = std::strstr(entry, kLibrary) != nullptr;
    }
    if (begins_with(entry, "CASSETTE")) found.has_settings = true;
  }
  return found;
}

bool goes_along(const char* entry) {
  return begins_with(entry, "CASSETTE") || begins_with(entry, "CI=");
}

}  // namespace

ChildSpace child_space(char* const* given) {
  const char* preload = library_active() ? start_environment("LD_PRELOAD") : nullptr;
  // Whoever came in another way goes along by it.
  if (preload == nullptr || std::strstr(preload, kLibrary) == nullptr) return {};
  const Findings found = look_at(given);
  const bool taken_out = found.preload == kNowhere && found.has_settings;
  if (taken_out || (found.has_library && found.has_settings)) return {};
  ChildSpace space{.pointers = found.count + 2, .text = 1};
  for (const char* entry = nullptr; (entry = next_start_variable(entry)) != nullptr;)
    ++space.pointers;
  if (!found.has_library) space.text += sizeof kPreload + std::strlen(preload) + 1;
  if (!found.has_library && found.preload != kNowhere)
    space.text += std::strlen(given[found.preload]);
  return space;
}

char* const* child_environment(char* const* given, char** pointers, char* text) {
  const Findings found = look_at(given);
  std::size_t size = found.count;
  for (std::size_t i = 0; i < size; ++i) pointers[i] = given[i];
  if (!found.has_library) {
    char* end = found.preload == kNowhere ? stpcpy(text, kPreload)
                                          : stpcpy(stpcpy(text, given[found.preload]), ":");
    stpcpy(end, start_environment("LD_PRELOAD"));
    pointers[found.preload == kNowhere ? size++ : found.preload] = text;
  }
  for (const char* entry = nullptr; (entry = next_start_variable(entry)) != nullptr;) {
    if (!found.has_settings && goes_along(entry)) pointers[size++] = const_cast<char*>(entry);
  }
  pointers[size] = nullptr;
  return pointers;
}

void restore_environment() {
  const ChildSpace space = child_space(environ);
  if (space.pointers == 0) return;
  // For the life of the process, as what setenv(3) makes.
  auto** pointers = static_cast<char**>(std::malloc(space.pointers * sizeof(char*)));
  auto* text = static_cast<char*>(std::malloc(space.text));
  if (pointers == nullptr || text == nullptr) fatal("no memory for the environment of a child");
  environ = const_cast<char**>(child_environment(environ, pointers, text));
}

namespace {

/// The list that `cassette run` has made for its tree: a line a program. False: this one is in it.
bool is_news(const char* path) {
  char file[kLongestPath];
  if (!not_entered_file(start_environment, file, sizeof file)) return true;
  int fd = real().open(file, O_RDWR | O_APPEND | O_CLOEXEC);
  if (fd < 0) return true;
  char known[4096];
  char line[kLongestPath + 2];
  ssize_t size = pread(fd, known, sizeof known - 1, 0);
  known[size > 0 ? size : 0] = '\0';
  std::snprintf(line, sizeof line, "%s\n", path);
  const bool news = std::strstr(known, line) == nullptr;
  if (news) (void)!real().write(fd, line, std::strlen(line));
  real().close(fd);
  return news;
}

}  // namespace

void note_program(const char* path) {
  int saved = errno;
  char reason[kLongestPath] = "";
  if (library_active() && path != nullptr && execute_error(path) == 0 &&
      !PreloadCheck(start_environment("PATH"), reason, sizeof reason).can_enter(path) &&
      is_news(path)) {
    std::size_t length = std::strlen(reason);
    std::snprintf(reason + length, sizeof reason - length,
                  ": what it does is neither recorded nor replayed");
    message(path, " ", reason);
  }
  errno = saved;
}

void note_program_file(int fd) {
  char link[64];
  char path[kLongestPath];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int saved = errno;
  ssize_t size = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (size <= 0) return;
  path[size] = '\0';
  note_program(path);
}

void note_program_name(const char* name) {
  int saved = errno;
  char path[kLongestPath];
  if (library_active() && name != nullptr &&
      search_program(name, std::getenv("PATH"), path, sizeof path) == 0) {
    note_program(path);
  }
  errno = saved;
}

}  // namespace cassette
