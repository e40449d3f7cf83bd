// How the engine is loaded, with the first need of it, and what it is given of this library. See library.h.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include "preload/hooks/files/bundles.h"
#include "preload/hooks/library.h"
#include "preload/hooks/message.h"
#include "preload/hooks/processes/fork.h"
#include "preload/hooks/processes/inherited.h"
#include "preload/hooks/start_environment.h"
#include "store/standard_error.h"

namespace cassette {

thread_local bool is_engine_thread;
// Of the fork() that the calling thread is in.
thread_local bool forks_outside_engine;

namespace {

constexpr char kEngineFile[] = "libcassette-engine.so";

pthread_once_t engine_once = PTHREAD_ONCE_INIT;
std::atomic<const EngineApi*> engine_api;
std::atomic<pid_t> table_owner;

void* exception_state() {
  static thread_local void* state[2];
  return state;
}

decltype(&::time) libc_time;
std::atomic<bool> destructors_run;

/// As the program would have it, as long as the libraries that it has loaded can be asked.
std::time_t program_time() {
  const bool late = destructors_run.load(std::memory_order_relaxed) && libc_time != nullptr;
  return (late ? libc_time : std::time)(nullptr);
}

HostApi host = {
    kEngineVersion,
    &real_functions,
    [](int fd, std::uintptr_t owner) { return descriptors.set_owner(fd, owner); },
    [](int fd) { return descriptors.owner(fd); },
    [](int fd) { return descriptors.epoll_of(fd); },
    [](int fd, int from) { return descriptors.next_copy(fd, from); },
    [](bool but_private) {  // the child of a fork begins with nothing
      descriptors.clear(but_private);
      mark_kept_private();
      own_table();
    },
    [](int fd) { return descriptors.hold(fd); },
    [](int fd, std::uintptr_t owner) { descriptors.free(fd, owner); },
    [] { is_engine_thread = inside_engine = true; },
    [] { is_engine_thread = inside_engine = false; },
    [] {
      forks_outside_engine = !inside_engine;
      inside_engine = true;
      return forks_outside_engine;
    },
    [] { return forks_outside_engine; },
    [] { leave_engine(!forks_outside_engine); },
    hook_of_fork,
    has_main_thread_ended,
    start_environment,
    put_variable,
    java_store_password,
    keep_file,
    kept_file,
    drop_kept,
    keep_settings,
    std::free,
    std::realloc,
    pthread_create,
    nullptr,
    program_time,
    exception_state,
    say,
    nullptr,
};

bool beside_this_library(char* path, std::size_t size) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&host), &info) == 0 || info.dli_fname == nullptr)
    return false;
  const char* slash = std::strrchr(info.dli_fname, '/');
  int directory = slash != nullptr ? static_cast<int>(slash - info.dli_fname) + 1 : 0;
  std::snprintf(path, size, "%.*s%s", directory, info.dli_fname, kEngineFile);
  return true;
}

/// A file of ours, in the order that dlopen(3) looks things up in: libc and what else it needs first (RTLD_DEEPBIND), and what
/// the program has loaded in front of libc only then. Other preloaded libraries see neither the engine's clock (libfaketime) nor
/// its files, and are not called behind their own end. libc's own dlopen(), because those of sanitizers refuse the flag.
void* load_object(const char* path) {
  decltype(&::dlopen) load = nullptr;
  for (const char* name : {"libc.so.6", "libdl.so.2"}) {  // the second one before glibc 2.34
    void* object = real().dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (object == nullptr) continue;
    if (libc_time == nullptr) {
      libc_time = reinterpret_cast<decltype(libc_time)>(dlsym(object, "time"));
    }
    load = reinterpret_cast<decltype(load)>(dlsym(object, "dlopen"));
    if (load != nullptr) break;
  }
  return (load != nullptr ? load : real().dlopen)(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

// The engine is installed beside this library; nothing else decides where it is looked for.
void load_engine() {
  char path[PATH_MAX + sizeof kEngineFile];
  if (!library_file(kEngineFile, path, sizeof path) && !beside_this_library(path, sizeof path)) {
    message("where is the library? dladdr does not tell, so the engine cannot be found");
    return;
  }
  host.free_addresses =
      reinterpret_cast<decltype(&::freeaddrinfo)>(dlsym(RTLD_NEXT, "freeaddrinfo"));
  host.program_name = program_invocation_short_name;
  // Called before the destructors of all libraries; those that begin earlier do without.
  std::atexit([] { destructors_run.store(true, std::memory_order_relaxed); });
  void* object = load_object(path);
  if (object == nullptr) {
    message("the engine cannot be loaded, connections are refused: ", dlerror());
    return;
  }
  auto* begin =
      reinterpret_cast<decltype(&cassette_engine_start)>(dlsym(object, "cassette_engine_start"));
  const EngineApi* api = begin != nullptr ? begin(&host) : nullptr;
  if (api == nullptr) {
    message("the engine cannot begin, or is another version's; connections are refused: ", path);
    return;
  }
  own_table();
  engine_api.store(api, std::memory_order_release);
}

/// Whether the calling thread has stack enough for the loader and for reading a cassette. The main thread's grows.
bool has_room() {
  constexpr std::size_t kEnough = 256 * 1024;
  pthread_attr_t attributes;
  void* lowest = nullptr;
  std::size_t size = 0;
  if (gettid() == getpid() || pthread_getattr_np(pthread_self(), &attributes) != 0) return true;
  pthread_attr_getstack(&attributes, &lowest, &size);
  pthread_attr_destroy(&attributes);
  // Beyond either end: the stack of a signal handler, and those are small.
  const auto left = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) -
                    reinterpret_cast<std::uintptr_t>(lowest);
  return left >= kEnough && left < size;
}

/// A thread of ours does it where the program's has no room. Not always: a library's constructor holds the loader's lock.
void load_engine_with_room() {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  bool begun = false;
  if (!has_room()) {
    pthread_sigmask(SIG_SETMASK, &all, &before);
    begun = pthread_create(
                &thread, nullptr,
                [](void*) -> void* {
                  is_engine_thread = inside_engine = true;
                  load_engine();
                  const EngineApi* api = engine_api.load(std::memory_order_acquire);
                  if (api != nullptr) api->open_cassette();
                  return nullptr;
                },
                nullptr) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  if (begun) {
    pthread_join(thread, nullptr);
  } else {
    load_engine();
  }
}

}  // namespace

bool owns_table() { return table_owner.load(std::memory_order_relaxed) == getpid(); }

void own_table() { table_owner.store(getpid(), std::memory_order_relaxed); }

const EngineApi* engine() {
  const EngineApi* api = engine_api.load(std::memory_order_acquire);
  if (__builtin_expect(api == nullptr, 0)) {
    put_first_handlers();
    EngineCall call = enter_engine();
    pthread_once(&engine_once, load_engine_with_room);
    exit_engine(call);
    api = engine_api.load(std::memory_order_acquire);
  }
  return api;
}

void free_addresses(addrinfo* list) { host.free_addresses(list); }

const EngineApi* loaded_engine() { return engine_api.load(std::memory_order_acquire); }

}  // namespace cassette
