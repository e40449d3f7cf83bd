// See children.h.
#include "preload/hooks/processes/children.h"

#include <alloca.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "preload/hooks/library.h"
#include "preload/hooks/message.h"
#include "preload/hooks/start_environment.h"
#include "store/settings/inherited.h"
#include "store/settings/preloadable.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

constexpr char kPreload[] = "LD_PRELOAD=";
/// Threads may have small stacks. A longer path is not looked at.
constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kLongestLine = 2 * kLongestPath;
constexpr std::size_t kNowhere = ~std::size_t{0};

/// A line for the list that the child of a vfork() could not open. Its parent, whose memory this is, can.
char pending[2 * kLongestLine];
std::atomic<bool> is_pending;

bool begins_with(const char* text, const char* prefix) {
  return std::strncmp(text, prefix, std::strlen(prefix)) == 0;
}

bool is_inherited_variable(const char* entry) {
  return begins_with(entry, kInheritedVariable) && entry[sizeof kInheritedVariable - 1] == '=';
}

/// What an environment says about us.
struct Findings {
  std::size_t count = 0;
  std::size_t preload = kNowhere;    ///< where LD_PRELOAD stands, with something in it
  std::size_t inherited = kNowhere;  ///< where CASSETTE_INHERITED stands
  bool has_library = false;
  bool has_settings = false;  ///< any CASSETTE*

  /// The program has decided so.
  bool library_taken_out() const { return preload == kNowhere && has_settings; }
};

Findings look_at(char* const* environment) {
  Findings found;
  for (; environment != nullptr && environment[found.count] != nullptr; ++found.count) {
    const char* entry = environment[found.count];
    if (begins_with(entry, kPreload) && entry[sizeof kPreload - 1] != '\0') {
      found.preload = found.count;
      found.has_library = names_library(entry + sizeof kPreload - 1);
    }
    if (is_inherited_variable(entry)) {
      found.inherited = found.count;
    } else if (begins_with(entry, "CASSETTE")) {
      found.has_settings = true;
    }
  }
  return found;
}

bool goes_along(const char* entry) {
  return (begins_with(entry, "CASSETTE") && !is_inherited_variable(entry)) ||
         begins_with(entry, "CI=");
}

/// What LD_PRELOAD was at the start; nullptr: whoever came in another way goes along by it.
const char* own_preload() {
  if (!library_active() || library_path() == nullptr) return nullptr;
  return start_environment("LD_PRELOAD");
}

bool tells_what_is_kept(const char* entry, const ChildSpace& space) {
  auto* text = static_cast<char*>(alloca(inherited_size(space.kept)));
  write_inherited(space.kept, text);
  return std::strcmp(entry, text) == 0;
}

}  // namespace

ChildSpace child_space(char* const* given, const Start& start) {
  const char* preload = start.goes_along ? own_preload() : nullptr;
  if (preload == nullptr) return {};
  const Findings found = look_at(given);
  ChildSpace space{.pointers = found.count + 3, .text = 1, .kept = kept_files()};
  const bool by_path = start.way == LibraryWay::kPath;
  const bool is_named =
      by_path ? found.has_library
              : found.preload != kNowhere && names_library_number(given[found.preload]);
  if (is_named && found.has_settings &&
      (space.kept == 0 ||
       (found.inherited != kNowhere && tells_what_is_kept(given[found.inherited], space))))
    return {};
  for (const char* entry = nullptr; (entry = next_start_variable(entry)) != nullptr;)
    ++space.pointers;
  if (found.preload != kNowhere) space.text += std::strlen(given[found.preload]);
  space.text += sizeof kPreload + std::strlen(preload) + 1;
  if (!by_path) space.text += 2 * kLibraryNumber;
  if (space.kept != 0) space.text += inherited_size(space.kept);
  return space;
}

char* const* child_environment(char* const* given, const Start& start, const ChildSpace& space,
                               char** pointers, char* text) {
  const Findings found = look_at(given);
  std::size_t size = found.count;
  for (std::size_t i = 0; i < size; ++i) pointers[i] = given[i];
  if (!found.has_library || start.way == LibraryWay::kInherited) {
    auto name = [&start](char* out, const char* list) {
      return start.way == LibraryWay::kInherited ? write_by_number(out, list) : stpcpy(out, list);
    };
    char* end = stpcpy(text, kPreload);
    if (found.preload != kNowhere) end = name(end, given[found.preload] + sizeof kPreload - 1);
    if (!found.has_library) {
      if (found.preload != kNowhere) *end++ = ':';
      end = name(end, own_preload());
    }
    pointers[found.preload == kNowhere ? size++ : found.preload] = text;
    text = end + 1;
  }
  if (space.kept != 0) {
    write_inherited(space.kept, text);
    pointers[found.inherited == kNowhere ? size++ : found.inherited] = text;
  }
  for (const char* entry = nullptr; (entry = next_start_variable(entry)) != nullptr;) {
    if (!found.has_settings && goes_along(entry)) pointers[size++] = const_cast<char*>(entry);
  }
  pointers[size] = nullptr;
  return pointers;
}

void restore_environment(const Start& start) {
  const ChildSpace space = child_space(environ, start);
  if (space.pointers == 0) return;
  // For the life of the process, as what setenv(3) makes.
  auto** pointers = static_cast<char**>(std::malloc(space.pointers * sizeof(char*)));
  auto* text = static_cast<char*>(std::malloc(space.text));
  if (pointers == nullptr || text == nullptr) fatal("no memory for the environment of a child");
  environ = const_cast<char**>(child_environment(environ, start, space, pointers, text));
}

namespace {

/// Puts a line on the list that `cassette run` has made for its tree. False: it is there already.
bool add_to_list(const char* line) {
  char file[kLongestPath];
  if (!not_entered_file(start_environment, file, sizeof file)) return true;
  const int own = kept_file(file);
  const int fd = own >= 0 ? own : real().open(file, O_RDWR | O_APPEND | O_CLOEXEC);
  if (fd < 0) {
    if (errno == EACCES && !is_own_process()) {
      std::snprintf(pending, sizeof pending, "%s", line);
      is_pending.store(true, std::memory_order_release);
    }
    return true;
  }
  char known[4096];
  ssize_t size = pread(fd, known, sizeof known - 1, 0);
  known[size > 0 ? size : 0] = '\0';
  const bool news = std::strstr(known, line) == nullptr;
  if (news) (void)!real().write(fd, line, std::strlen(line));
  if (fd != own) real().close(fd);
  return news;
}

/// It would run as if nothing were there.
void refuse(const char* path) {
  char reason[kLongestLine];
  char missing[kLongestPath];
  const int error = missing_library_file(missing, sizeof missing);
  if (error == 0) {
    std::snprintf(
        reason, sizeof reason,
        "its effective user or group (%u, %u) is not the real one, and the system ignores LD_PRELOAD "
        "for such programs",
        geteuid(), getegid());
  } else {
    const bool is_there = error != ENOENT && error != ENOTDIR;
    std::snprintf(reason, sizeof reason,
                  is_there ? "user %u cannot open %s"
                           : "for user %u, below its root directory, there is no %s",
                  geteuid(), missing);
  }
  message_of_program(path, " is not started, since it would reach the network: ", reason);
  char line[kLongestLine + sizeof reason];
  std::snprintf(line, sizeof line, "%.*s\t%s\t%s\n", static_cast<int>(kLongestPath), path, reason,
                kNotStarted);
  add_to_list(line);
}

}  // namespace

void note_of_children() {
  if (is_own_process() && is_pending.exchange(false, std::memory_order_acquire))
    add_to_list(pending);
}

namespace {

/// `starts`: the system would start it. Where it does not, it says so itself.
Start decide(const char* path, bool starts, char* const* environment) {
  Start start;
  if (!library_active()) return start;
  int saved = errno;
  char reason[kLongestPath] = "";
  bool enters = true;
  if (path != nullptr && starts) {
    enters = PreloadCheck(start_environment("PATH"), reason, sizeof reason).can_enter(path);
    char line[kLongestLine];
    std::snprintf(line, sizeof line, "%.*s\n", static_cast<int>(kLongestPath), path);
    if (!enters && add_to_list(line)) {
      std::size_t length = std::strlen(reason);
      std::snprintf(reason + length, sizeof reason - length,
                    ": what it does is neither recorded nor replayed");
      message_of_program(path, " ", reason);
    }
  }
  start.goes_along =
      enters && own_preload() != nullptr && !look_at(environment).library_taken_out();
  if (start.goes_along) {
    start.way = library_way();
    start.refused = starts && start.way == LibraryWay::kNone;
    if (start.refused) {
      refuse(path != nullptr ? path : "a program");
    } else if (starts && path != nullptr && !is_own_process() && kept_files() == 0 &&
               geteuid() != user_at_start()) {
      // In the child of a vfork() nothing could be opened before: the session is closed to the program.
      char line[kLongestLine];
      std::snprintf(line, sizeof line, "%.*s\n", static_cast<int>(kLongestPath), path);
      add_to_list(line);
    }
    if (!start.refused) hand_over();
  }
  errno = start.refused ? EACCES : saved;
  return start;
}

}  // namespace

Start look_at_program(const char* path, char* const* environment) {
  int saved = errno;
  const bool starts = path == nullptr || !library_active() || execute_error(path) == 0;
  errno = saved;
  return decide(path, starts, environment);
}

Start look_at_file(int fd, char* const* environment) {
  char link[64];
  char path[kLongestPath];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int saved = errno;
  ssize_t size = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (size <= 0) return look_at_program(nullptr, environment);
  path[size] = '\0';
  return look_at_program(path, environment);
}

Start look_at_name(const char* name, char* const* environment) {
  int saved = errno;
  char path[kLongestPath];
  const bool found = library_active() && name != nullptr &&
                     search_program(name, std::getenv("PATH"), path, sizeof path) == 0;
  errno = saved;
  return decide(found ? path : name, found, environment);
}

}  // namespace cassette
