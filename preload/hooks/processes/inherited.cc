// See inherited.h.
#include "preload/hooks/processes/inherited.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
#include "store/settings/tree.h"

namespace cassette {

namespace {

struct Kept {
  std::uint64_t name;
  std::uint64_t device;
  std::uint64_t inode;
  int fd;
};
/// A session with some cassettes to fall back on has about thirty.
constexpr std::size_t kMost = 256;
constexpr std::size_t kEntryText = 9 + 3 * 17;

// Zero-initialised; drop_kept() is for a process that ends.
Kept kept[kMost];
std::atomic<std::size_t> kept_count;
// What keep_settings() was given, in the order of kDefaults.
constexpr const char* kDefaults[] = {"CASSETTE_RUNTIME_DIR", "CASSETTE_STATE_DIR",
                                     "CASSETTE_CONFIG"};
constexpr std::size_t kDefaultCount = sizeof kDefaults / sizeof *kDefaults;
std::atomic<const char*> defaults[kDefaultCount];

char library[PATH_MAX];

void write_number_path(char* out, std::size_t size, int fd) {
  std::snprintf(out, size, "/proc/self/fd/%d", fd);
}

void write_beside_library(const char* name, char* out, std::size_t size) {
  const char* slash = std::strrchr(library, '/');
  const int directory = slash != nullptr ? static_cast<int>(slash - library) + 1 : 0;
  std::snprintf(out, size, "%.*s%s", directory, library, name);
}

bool can_read(const char* path) { return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0; }

/// As the engine does where it has no better numbers (private_numbers.h).
int hide(int fd) {
  rlimit limit{};
  int base = 256;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    base = limit.rlim_cur / 4 * 3 < 4096 ? static_cast<int>(limit.rlim_cur / 4 * 3) : 4096;
  int high = real().fcntl(fd, F_DUPFD_CLOEXEC, base);
  if (high < 0) high = real().fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return high;
}

bool add(const Kept& entry) {
  const std::size_t count = kept_count.load(std::memory_order_relaxed);
  if (count == kMost || !descriptors.set_owner(entry.fd, DescriptorTable::kPrivate)) return false;
  kept[count] = entry;
  // Who sees the count sees the entry.
  kept_count.store(count + 1, std::memory_order_release);
  return true;
}

/// The part of LD_PRELOAD that holds `what`, or nullptr; a blank or a colon ends it.
const char* part_with(const char* text, const char* what, std::size_t* length) {
  const char* found = text != nullptr && what[0] != '\0' ? std::strstr(text, what) : nullptr;
  if (found == nullptr) return nullptr;
  const char* begin = found;
  while (begin > text && std::strchr(": ", begin[-1]) == nullptr) --begin;
  *length = static_cast<std::size_t>(found - begin) + std::strcspn(found, ": ");
  return begin;
}

/// LD_PRELOAD with another text in place of that part.
void rename_in_preload(const char* part, std::size_t length, const char* by) {
  const char* text = start_environment("LD_PRELOAD");
  const std::size_t size = std::strlen(text) + std::strlen(by) + 1;
  auto* changed = static_cast<char*>(std::malloc(size));
  if (changed == nullptr) fatal("no memory for LD_PRELOAD");
  std::snprintf(changed, size, "%.*s%s%s", static_cast<int>(part - text), text, by, part + length);
  put_variable("LD_PRELOAD", changed);
  std::free(changed);
}

/// Where libcassette.so is. A relative path would be another in the next directory. True: LD_PRELOAD has changed.
bool find_library() {
  std::size_t length = 0;
  const char* part = part_with(start_environment("LD_PRELOAD"), kLibraryFiles[0], &length);
  if (part == nullptr || length >= sizeof library) return false;
  std::memcpy(library, part, length);
  library[length] = '\0';
  if (library[0] == '/') return false;
  if (std::strchr(library, '/') == nullptr) {  // the dynamic linker has looked for it
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&kept_count), &info) == 0 || info.dli_fname == nullptr)
      return false;
    std::snprintf(library, sizeof library, "%s", info.dli_fname);
    // Where it was found by a variable, a program without that would not find it.
    if (library[0] != '/' || std::getenv("LD_LIBRARY_PATH") == nullptr ||
        std::strpbrk(library, ": ") != nullptr)
      return false;
    rename_in_preload(part, length, library);
    return true;
  }
  char absolute[PATH_MAX];
  const std::size_t size = getcwd(absolute, sizeof absolute) != nullptr ? std::strlen(absolute) : 0;
  if (size == 0 || size + 1 + length >= sizeof absolute) return false;
  absolute[size] = '/';
  std::memcpy(absolute + size + 1, library, length + 1);
  // LD_PRELOAD could not say it.
  if (std::strpbrk(absolute, ": ") != nullptr) return false;
  std::memcpy(library, absolute, size + 1 + length + 1);
  rename_in_preload(part, length, library);
  return true;
}

/// Up to the end of the line, which becomes the end of the text; `at` goes behind it. nullptr: there is none.
char* take_line(char** at) {
  char* line = *at;
  char* end = std::strchr(line, '\n');
  if (end == nullptr) return nullptr;
  *end = '\0';
  *at = end + 1;
  return line;
}

void take_entries(const char* at) {
  while (*at != '\0') {
    std::uint64_t numbers[4]{};
    for (std::uint64_t& number : numbers) {
      char* end = nullptr;
      number = std::strtoull(at, &end, 16);
      if (*end != ':' && *end != ',') return;
      at = end + 1;
    }
    const auto fd = static_cast<int>(numbers[0]);
    struct stat status {};
    // Closed on the way, or never there.
    if (fd < 3 || fstat(fd, &status) != 0 || status.st_dev != numbers[1] ||
        status.st_ino != numbers[2])
      continue;
    real().fcntl(fd, F_SETFD, FD_CLOEXEC);
    add({numbers[3], numbers[1], numbers[2], fd});
  }
}

void take_text(char* text) {
  char* path = take_line(&text);
  if (path == nullptr) return;
  for (const char* name : kDefaults) {
    const char* value = take_line(&text);
    if (value == nullptr) return;
    if (value[0] != '\0' && start_environment(name) == nullptr) put_variable(name, value);
  }
  take_entries(text);
  const int number = kept_file(kLibraryFiles[0]);
  char name[kLibraryNumber];
  write_number_path(name, sizeof name, number);
  std::size_t length = 0;
  const char* part =
      number >= 0 ? part_with(start_environment("LD_PRELOAD"), name, &length) : nullptr;
  if (part != nullptr) rename_in_preload(part, length, path);
}

}  // namespace

bool take_inherited() {
  const char* given = start_environment(kInheritedVariable);
  if (given == nullptr) return find_library();
  char* text = strdup(given);
  if (text == nullptr) fatal("no memory for what is inherited");
  take_text(text);
  std::free(text);
  put_variable(kInheritedVariable, nullptr);
  note_start_environment();
  find_library();
  return true;
}

bool keep_file(const char* name, int fd) {
  if (fd < 0) return false;
  const bool is_hidden = descriptors.owner(fd) == DescriptorTable::kPrivate;
  const int high = is_hidden ? fd : hide(fd);
  if (!is_hidden) real().close(fd);
  struct stat status {};
  if (high >= 0 && fstat(high, &status) == 0 &&
      add({inherited_name(name), status.st_dev, status.st_ino, high}))
    return true;
  if (high >= 0) {
    descriptors.set_owner(high, DescriptorTable::kNobody);
    real().close(high);
  }
  return false;
}

bool move_kept_file(int fd) {
  for (std::size_t i = kept_count.load(std::memory_order_acquire); i-- > 0;) {
    if (kept[i].fd != fd) continue;
    const int other = hide(fd);
    if (other < 0) return false;
    descriptors.set_owner(other, DescriptorTable::kPrivate);
    kept[i].fd = other;
    descriptors.set_owner(fd, DescriptorTable::kNobody);
    real().close(fd);
    return true;
  }
  return false;
}

void drop_kept() {
  for (std::size_t i = kept_count.exchange(0, std::memory_order_acq_rel); i-- > 0;) {
    descriptors.set_owner(kept[i].fd, DescriptorTable::kNobody);
    real().close(kept[i].fd);
  }
}

int kept_file(const char* name) {
  const std::uint64_t wanted = inherited_name(name);
  for (std::size_t i = kept_count.load(std::memory_order_acquire); i-- > 0;) {
    if (kept[i].name == wanted) return kept[i].fd;
  }
  return -1;
}

void keep_path(const char* name, const char* path, int flags) {
  if (kept_file(name) < 0) keep_file(name, real().open(path, flags | O_CLOEXEC));
}

void keep_settings(const char* runtime_directory, const char* state_directory,
                   const char* configuration) {
  const char* values[kDefaultCount] = {runtime_directory, state_directory, configuration};
  for (std::size_t i = 0; i < kDefaultCount; ++i) {
    // What has the end of a line in it cannot be told.
    if (std::strchr(values[i], '\n') == nullptr)
      defaults[i].store(values[i], std::memory_order_release);
  }
}

void keep_library() {
  char path[PATH_MAX + 32];
  if (library[0] != '\0') {
    for (const char* name : kLibraryFiles) {
      write_beside_library(name, path, sizeof path);
      keep_path(name, path, O_RDONLY);
    }
  }
  if (not_entered_file(start_environment, path, sizeof path))
    keep_path(path, path, O_RDWR | O_APPEND);
}

void mark_kept_private() {
  for (std::size_t i = 0; i < kept_count.load(std::memory_order_acquire); ++i)
    descriptors.set_owner(kept[i].fd, DescriptorTable::kPrivate);
}

const char* library_path() { return library[0] != '\0' ? library : nullptr; }

bool library_file(const char* name, char* out, std::size_t size) {
  if (library[0] == '\0') return false;
  write_beside_library(name, out, size);
  const int fd = kept_file(name);
  if (fd >= 0 && !can_read(out)) write_number_path(out, size, fd);
  return true;
}

namespace {

/// While it lives this thread may read what a program that it becomes may read: execve(2) takes capabilities away that
/// let who has them (setpriv, by PR_SET_KEEPCAPS) open everything until then. See capabilities(7).
class WithoutPassingRights {
 public:
  WithoutPassingRights() {
    // Unless it has asked for the contrary, the superuser gets them again, as far as its bounding set has them.
    const bool is_root = geteuid() == 0 && (prctl(PR_GET_SECUREBITS) & SECBIT_NOROOT) == 0;
    bool stays = is_root;
    for (const int each : kReading) stays = stays && prctl(PR_CAPBSET_READ, each) == 1;
    if (stays || by_number(SYS_capget, now_) != 0) return;
    __user_cap_data_struct less[2] = {now_[0], now_[1]};
    for (const int each : kReading) less[0].effective &= ~(1U << each);
    if (less[0].effective != now_[0].effective) taken_ = by_number(SYS_capset, less) == 0;
  }
  ~WithoutPassingRights() {
    if (taken_) by_number(SYS_capset, now_);
  }
  WithoutPassingRights(const WithoutPassingRights&) = delete;
  WithoutPassingRights& operator=(const WithoutPassingRights&) = delete;

 private:
  static constexpr int kReading[] = {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH};

  static long by_number(long number, __user_cap_data_struct* data) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    return real().syscall(number, &header, data);
  }

  __user_cap_data_struct now_[2]{};
  bool taken_ = false;
};

int first_missing(char* path, std::size_t size) {
  for (const char* name : kLibraryFiles) {
    write_beside_library(name, path, size);
    if (!can_read(path)) return errno;
  }
  return 0;
}

}  // namespace

int missing_library_file(char* path, std::size_t size) {
  const WithoutPassingRights as_after_exec;
  return first_missing(path, size);
}

LibraryWay library_way() {
  int saved = errno;
  char path[PATH_MAX + 32];
  LibraryWay way = LibraryWay::kPath;
  const WithoutPassingRights as_after_exec;
  if (geteuid() != getuid() || getegid() != getgid()) {
    // Then the kernel takes the program for one with another's rights, and the dynamic linker loads nothing (AT_SECURE).
    way = LibraryWay::kNone;
  } else if (first_missing(path, sizeof path) != 0) {
    way = LibraryWay::kInherited;
    for (const char* name : kLibraryFiles) {
      const int fd = kept_file(name);
      write_number_path(path, sizeof path, fd);
      if (fd < 0 || !can_read(path)) way = LibraryWay::kNone;
    }
  }
  errno = saved;
  return way;
}

bool names_library(const char* text) {
  std::size_t length = 0;
  return part_with(text, kLibraryFiles[0], &length) != nullptr || names_library_number(text);
}

bool names_library_number(const char* text) {
  std::size_t length = 0;
  const int fd = kept_file(kLibraryFiles[0]);
  char name[kLibraryNumber];
  write_number_path(name, sizeof name, fd);
  return fd >= 0 && part_with(text, name, &length) != nullptr;
}

char* write_by_number(char* out, const char* text) {
  std::size_t length = 0;
  const char* part = part_with(text, kLibraryFiles[0], &length);
  if (part == nullptr) return stpcpy(out, text);
  out = static_cast<char*>(mempcpy(out, text, static_cast<std::size_t>(part - text)));
  write_number_path(out, kLibraryNumber, kept_file(kLibraryFiles[0]));
  return stpcpy(out + std::strlen(out), part + length);
}

std::size_t kept_files() { return kept_count.load(std::memory_order_acquire); }

std::size_t inherited_size(std::size_t count) {
  std::size_t size = sizeof kInheritedVariable + 1 + std::strlen(library) + 1 + count * kEntryText;
  for (const auto& value : defaults) {
    const char* text = value.load(std::memory_order_acquire);
    size += (text != nullptr ? std::strlen(text) : 0) + 1;
  }
  return size + 1;
}

void write_inherited(std::size_t count, char* out) {
  out = stpcpy(stpcpy(stpcpy(out, kInheritedVariable), "="), library);
  *out++ = '\n';
  for (const auto& value : defaults) {
    const char* text = value.load(std::memory_order_acquire);
    out = stpcpy(out, text != nullptr ? text : "");
    *out++ = '\n';
  }
  *out = '\0';
  for (std::size_t i = 0; i < count; ++i) {
    out += std::snprintf(out, kEntryText, "%x:%llx:%llx:%llx,", static_cast<unsigned>(kept[i].fd),
                         static_cast<unsigned long long>(kept[i].device),
                         static_cast<unsigned long long>(kept[i].inode),
                         static_cast<unsigned long long>(kept[i].name));
  }
}

void hand_over() {
  int saved = errno;
  for (std::size_t i = 0; i < kept_count.load(std::memory_order_acquire); ++i)
    real().fcntl(kept[i].fd, F_SETFD, 0);
  errno = saved;
}

}  // namespace cassette
