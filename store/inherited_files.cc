// See inherited_files.h.
#include "store/inherited_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace cassette {

namespace {
std::atomic<int (*)(const char* name)> find_file;
std::atomic<void (*)()> drop_files;
}  // namespace

void use_inherited_files(int (*find)(const char* name), void (*drop)()) {
  drop_files.store(drop, std::memory_order_release);
  find_file.store(find, std::memory_order_release);
}

void drop_inherited_files() {
  auto* drop = drop_files.load(std::memory_order_acquire);
  if (drop != nullptr) drop();
}

int inherited_file(const std::string& name) {
  auto* find = find_file.load(std::memory_order_acquire);
  return find != nullptr ? find(name.c_str()) : -1;
}

Descriptor open_or_inherit(const std::string& path, int flags, mode_t mode) {
  Descriptor file(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
  return file ? std::move(file) : inherit_instead(path, errno);
}

Descriptor inherit_instead(const std::string& path, int problem) {
  Descriptor file;
  if (problem == EACCES || problem == EPERM || problem == ENOENT || problem == ENOTDIR) {
    const int inherited = inherited_file(path);
    if (inherited >= 0) file = Descriptor(fcntl(inherited, F_DUPFD_CLOEXEC, 3));
  }
  errno = problem;
  return file;
}

bool exists_or_inherited(const std::string& path) {
  return faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0 || inherited_file(path) >= 0;
}

}  // namespace cassette
