// See library.h. The order at the start of a process: real functions, environment, the tree's
// variable for the children. Nothing else: the engine comes with the first connection.
#include "preload/hooks/library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include "preload/hooks/files/bundles.h"
#include "preload/hooks/processes/children.h"
#include "preload/hooks/processes/inherited.h"
#include "preload/hooks/message.h"
#include "preload/hooks/start_environment.h"
#include "store/kernel.h"
#include "store/settings/setting_names.h"
#include "store/settings/tree.h"
#include "store/standard_error.h"

namespace cassette {

thread_local bool is_engine_thread;
// Of the fork() that the calling thread is in.
thread_local bool forks_outside_engine;

namespace {

constexpr char kEngineFile[] = "libcassette-engine.so";

pthread_once_t start_once = PTHREAD_ONCE_INIT;
pthread_once_t engine_once = PTHREAD_ONCE_INIT;
std::atomic<bool> active;
std::atomic<const EngineApi*> engine_api;
pid_t tree_root;
uid_t start_user;
std::atomic<pid_t> table_owner;
std::atomic<pid_t> own_process;
std::atomic<bool> main_thread_ended;
std::atomic<int> exit_status;
bool leaves_by_handler;

// A typing error must not let a test run unrecorded, or against the real network.
void check_settings() {
  for (const SettingName& setting : kSettings) {
    if (setting.environment == nullptr) continue;
    const char* value = start_environment(setting.environment);
    if (value == nullptr || setting_value_ok(setting, value)) continue;
    char text[1024];
    setting_error(text, sizeof text, setting.environment, setting, value);
    fatal(text);
  }
}

// For a start before our constructor, which is given the arguments.
void read_arguments(char* space, std::size_t size, char** arguments, int limit, int* count) {
  *count = 0;
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t got = read(fd, space, size - 1);
  real().close(fd);
  if (got <= 0) return;
  space[got] = '\0';
  for (char* at = space; at < space + got && *count < limit; at += std::strlen(at) + 1) {
    arguments[(*count)++] = at;
  }
}

int given_count;
char** given_arguments;

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

// The first process of a tree gives it its name; see store/settings/tree.h. A relative CASSETTE means the
// directory of that process for all of its children, wherever they go.
void join_tree() {
  if (const char* tree = start_environment(kTreeVariable)) {
    tree_root = static_cast<pid_t>(std::strtol(tree, nullptr, 10));
    return;
  }
  char space[4096];
  char* arguments[64];
  int count = given_count;
  char** list = given_arguments;
  if (list == nullptr) {
    read_arguments(space, sizeof space, arguments, 64, &count);
    list = arguments;
  }
  char tree[PATH_MAX + 256];
  if (!make_tree(count, list, start_environment("CASSETTE_RUNTIME_DIR"), tree, sizeof tree))
    fatal("the working directory cannot be named");
  tree_root = getpid();
  put_variable(kTreeVariable, tree);
  const char* cassette = start_environment("CASSETTE");
  if (cassette != nullptr && cassette[0] != '\0' && cassette[0] != '/') {
    char path[2 * PATH_MAX];
    const char* directory = std::strchr(std::strchr(tree, ':') + 1, ':') + 1;
    std::snprintf(path, sizeof path, "%s/%s", directory, cassette);
    put_variable("CASSETTE", path);
  }
  note_start_environment();
}

// Node has its own certificates, and no other way to be told of one more.
void bring_node_trust(bool on) {
  static constexpr char kName[] = "NODE_EXTRA_CA_CERTS";
  const char* value = start_environment(kName);
  if (on && (value == nullptr || value[0] == '\0')) put_variable(kName, kAuthorityFile);
  if (!on && value != nullptr && std::strcmp(value, kAuthorityFile) == 0)
    put_variable(kName, nullptr);
}

// Messages that have no other place (store/standard_error.h): the log's file, or the list of `cassette run`.
void begin_messages() {
  static char file[2 * PATH_MAX];
  const char* log = start_environment("CASSETTE_LOG");
  const char* name = log != nullptr ? std::strchr(log, ':') : nullptr;
  const char* directory = start_environment(kTreeVariable);
  for (int i = 0; i < 2 && directory != nullptr; ++i) {
    directory = std::strchr(directory, ':');
    if (directory != nullptr) ++directory;
  }
  if (name == nullptr) {
    if (unsaid_file(start_environment, file, sizeof file)) keep_unsaid_in(file, false);
  } else if (name[1] == '/' || directory == nullptr) {
    std::snprintf(file, sizeof file, "%s", name + 1);
    keep_unsaid_in(file, true);
  } else {
    std::snprintf(file, sizeof file, "%s/%s", directory, name + 1);
    keep_unsaid_in(file, true);
  }
}

void start() {
  int saved = errno;
  start_user = geteuid();
  use_standard_error(StandardError::now());
  process_begins();
  pthread_atfork(nullptr, nullptr, process_begins);
  // exit(3) tells its status to nobody else. Registered before main(), hence called behind the destructors of all
  // libraries, ours included.
  auto ends = [](int status, void*) {
    note_exit_status(status);
    leave_session();
  };
  leaves_by_handler = on_exit(ends, nullptr) == 0;
  note_start_environment();
  if (take_inherited()) note_start_environment();
  if (kept_files() != 0) table_owner.store(getpid(), std::memory_order_relaxed);
  check_settings();
  const char* mode = start_environment("CASSETTE_MODE");
  const bool on = mode == nullptr || std::strcmp(mode, "off") != 0;
  if (on) {
    join_tree();
    begin_messages();
    note_chosen_bundles(start_environment, given_count, given_arguments);
    active.store(true, std::memory_order_release);
  }
  bring_node_trust(on);
  errno = saved;
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
      table_owner.store(getpid(), std::memory_order_relaxed);
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
    [] { return main_thread_ended.load(std::memory_order_acquire); },
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
  table_owner.store(getpid(), std::memory_order_relaxed);
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

// Only the tree's root has to look: another process that was intercepted has the engine loaded.
bool session_exists() {
  if (tree_root == 0 || tree_root != getpid()) return false;
  char path[PATH_MAX];
  return session_directory(start_environment, path, sizeof path) &&
         ask_kernel(SYS_faccessat, AT_FDCWD, word_of(path), F_OK) == 0;
}

__attribute__((constructor)) void library_begins(int count, char** arguments, char**) {
  given_count = count;
  given_arguments = arguments;
  ensure_started();
  const char* early = start_environment(kEarlyVariable);
  if (early != nullptr && flag_is_on(early)) get_ready();
}

__attribute__((destructor)) void library_ends() {
  if (!leaves_by_handler) leave_session();
}

}  // namespace

void ensure_started() {
  real();
  pthread_once(&start_once, start);
}

void process_begins() {
  own_process.store(getpid(), std::memory_order_relaxed);
  main_thread_ended.store(false, std::memory_order_relaxed);
  // With an engine it is the engine that begins anew.
  if (loaded_engine() == nullptr && kept_files() != 0)
    table_owner.store(getpid(), std::memory_order_relaxed);
}

bool owns_table() { return table_owner.load(std::memory_order_relaxed) == getpid(); }

bool is_own_process() { return own_process.load(std::memory_order_relaxed) == getpid(); }

uid_t user_at_start() { return start_user; }

bool library_active() { return active.load(std::memory_order_acquire); }

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

const EngineApi* loaded_engine() { return engine_api.load(std::memory_order_acquire); }

void get_ready(bool filtered) {
  ensure_started();
  if (inside_engine || !library_active() || !is_own_process()) return;
  int saved = errno;
  descriptors.make_room(0);
  if (const EngineApi* api = engine()) {
    EngineCall call = enter_engine();
    api->get_ready(filtered);
    exit_engine(call);
    if (filtered) put_no_signal_off();
  }
  errno = saved;
}

void main_thread_ends() {
  main_thread_ended.store(true, std::memory_order_release);
  const EngineApi* api = loaded_engine();
  if (api != nullptr) api->main_thread_ends();
}

void note_exit_status(int status) {
  if (is_own_process()) exit_status.store(status & 0xff, std::memory_order_relaxed);
}

void leave_session() {
  if (!library_active()) return;
  int saved = errno;
  note_of_children();
  const EngineApi* api = loaded_engine();
  if (api == nullptr && session_exists()) api = engine();
  if (api != nullptr && !inside_engine) {
    EngineCall call = enter_engine();
    api->leave(exit_status.load(std::memory_order_relaxed) == 0);
    exit_engine(call);
  }
  errno = saved;
}

}  // namespace cassette
