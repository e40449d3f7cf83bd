// See library.h. The order at the start of a process: real functions, environment, the tree's
// variable for the children. Nothing else: the engine comes with the first connection.
#include "preload/hooks/library.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "preload/hooks/files/bundles.h"
#include "preload/hooks/message.h"
#include "preload/hooks/processes/children.h"
#include "preload/hooks/processes/inherited.h"
#include "preload/hooks/start_environment.h"
#include "store/kernel.h"
#include "store/settings/setting_names.h"
#include "store/settings/tree.h"
#include "store/standard_error.h"

namespace cassette {

namespace {

pthread_once_t start_once = PTHREAD_ONCE_INIT;
std::atomic<bool> active;
pid_t tree_root;
uid_t start_user;
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
  begin_messages_of_process();
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
  if (kept_files() != 0) own_table();
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
  if (loaded_engine() == nullptr && kept_files() != 0) own_table();
}

bool has_main_thread_ended() { return main_thread_ended.load(std::memory_order_acquire); }

bool is_own_process() { return own_process.load(std::memory_order_relaxed) == getpid(); }

uid_t user_at_start() { return start_user; }

bool library_active() { return active.load(std::memory_order_acquire); }

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
