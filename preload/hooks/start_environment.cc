// See start_environment.h.
#include "preload/hooks/start_environment.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "preload/hooks/files/bundles.h"
#include "preload/hooks/message.h"

namespace cassette {

namespace {

// "NAME=value", one after the other, an empty one at the end.
char space[8192];
char* snapshot = space;

bool is_variable(const char* entry, const char* name) {
  if (entry[0] != name[0]) return false;  // every process compares hundreds of them at its start
  const std::size_t length = std::strlen(name);
  return std::strncmp(entry, name, length) == 0 && entry[length] == '=';
}

bool matters(const char* entry) {
  if (std::strncmp(entry, "CASSETTE", 8) == 0) return true;
  for (const char* name : {"CI", "HOME", "XDG_STATE_HOME", "LD_PRELOAD", "PATH",
                           "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}) {
    if (is_variable(entry, name)) return true;
  }
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name) {
    if (is_variable(entry, *name)) return true;
  }
  return false;
}

// Memory that is never freed. What was made before can be found from what was made last, so that a leak checker
// does not count it as lost.
std::atomic<void**> last_made;

void* make_for_good(std::size_t size) {
  auto** memory = static_cast<void**>(std::malloc(sizeof(void*) + size));
  if (memory == nullptr) return nullptr;
  void** before = last_made.load(std::memory_order_relaxed);
  do {
    *memory = before;
  } while (!last_made.compare_exchange_weak(before, memory, std::memory_order_release,
                                            std::memory_order_relaxed));
  return memory + 1;
}

}  // namespace

void note_start_environment() {
  std::size_t size = 1;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (matters(*entry)) size += std::strlen(*entry) + 1;
  }
  if (size > sizeof space) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fatal("no memory for the settings");
    snapshot = static_cast<char*>(memory);
  }
  char* end = snapshot;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (matters(*entry)) end = stpcpy(end, *entry) + 1;
  }
  *end = '\0';
}

const char* start_environment(const char* name) {
  for (const char* entry = nullptr; (entry = next_start_variable(entry)) != nullptr;) {
    if (is_variable(entry, name)) return entry + std::strlen(name) + 1;
  }
  return nullptr;
}

const char* next_start_variable(const char* entry) {
  entry = entry == nullptr ? snapshot : entry + std::strlen(entry) + 1;
  return *entry != '\0' ? entry : nullptr;
}

// Not by setenv(): bash exports one of its own, which drops what comes before its main(). What the array and
// the strings were stays: another thread may be reading it.
void put_variable(const char* name, const char* value) {
  char* entry = nullptr;
  if (value != nullptr) {
    entry = static_cast<char*>(make_for_good(std::strlen(name) + std::strlen(value) + 2));
    if (entry == nullptr) fatal("no memory for ", name);
    stpcpy(stpcpy(stpcpy(entry, name), "="), value);
  }
  std::size_t count = 0;
  for (; environ != nullptr && environ[count] != nullptr; ++count) {
    if (!is_variable(environ[count], name)) continue;
    if (entry != nullptr) {
      environ[count] = entry;
      return;
    }
    for (char** rest = environ + count; rest[0] != nullptr; ++rest) rest[0] = rest[1];
    --count;
  }
  if (entry == nullptr) return;
  auto** fresh = static_cast<char**>(make_for_good((count + 2) * sizeof(char*)));
  if (fresh == nullptr) fatal("no memory for ", name);
  if (count > 0) std::memcpy(fresh, environ, count * sizeof(char*));
  fresh[count] = entry;
  fresh[count + 1] = nullptr;
  environ = fresh;
}

}  // namespace cassette
