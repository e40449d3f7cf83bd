// See engine.h.
#include "preload/engine/engine.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <exception>

#include "preload/engine/clock.h"
#include "preload/engine/entries.h"
#include "preload/engine/interpose.h"
#include "preload/engine/private_numbers.h"
#include "preload/heap/heap.h"
#include "store/inherited_files.h"
#include "store/log.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

Engine* the_engine;

std::string current_directory() {
  char path[PATH_MAX];
  return getcwd(path, sizeof path) != nullptr ? path : "/";
}

}  // namespace

Engine& engine() { return *the_engine; }

Engine::Engine(const HostApi& from) : host(from), real(*from.real), process_(getpid()) {
  const char* variable = host.environment(kTreeVariable);
  std::string tree = variable != nullptr ? variable : "";
  // The tree's directory: where the first process was when it began.
  std::size_t program = tree.find(':');
  std::size_t directory = program == std::string::npos ? program : tree.find(':', program + 1);
  std::string base =
      directory == std::string::npos ? current_directory() : tree.substr(directory + 1);
  tell_by(host.say);
  auto loaded = load_settings([this](const char* name) { return host.environment(name); }, base);
  std::string problem;
  if (loaded.ok()) {
    settings = std::move(*loaded);
    configure_log(settings.log_level, settings.log_file);
    off_ = settings.mode == RecordMode::kOff;
  } else {
    problem = loaded.error().message;
    log(LogLevel::kError, problem);
  }
  deck_.emplace(settings, std::move(tree), std::move(problem));
}

std::shared_ptr<Player> Engine::player() { return off_ ? nullptr : deck_->current(); }

bool Engine::intercepts(std::string_view name, std::uint16_t port) const {
  if (settings.ignore_hosts.contains(name, port)) return false;
  return settings.only_hosts.empty() || settings.only_hosts.contains(name, port);
}

int Engine::move_up(int fd) {
  if (fd < 0) return fd;
  int high = copy_up(fd);
  int error = errno;
  ::close(fd);
  errno = error;
  return high;
}

int Engine::copy_up(int fd) {
  int copy = -1;
  bool scarce = false;
  return copy_up(&fd, &copy, 1, &scarce) ? copy : -1;
}

bool Engine::copy_up(const int* from, int* to, int count, bool* scarce) {
  if (!copy_to_private_numbers(from, to, count, scarce)) return false;
  bool known = true;
  for (int i = 0; i < count; ++i) known = host.set_owner(to[i], kPrivateOwner) && known;
  if (known) return true;
  for (int i = 0; i < count; ++i) close_private(to[i]);
  errno = EMFILE;
  return false;
}

void Engine::close_private(int fd) {
  host.set_owner(fd, 0);
  ::close(fd);
}

bool Engine::make_way(int fd) {
  if (!owns_process()) return false;
  const int other = copy_up(fd);
  if (other < 0) return false;
  connections.lock();  // nobody uses a number of a connection, nor waits for one with the service
  const bool moved = service.move_number(fd, other) || connections.move_number(fd, other);
  connections.unlock();
  close_private(moved ? fd : other);
  return moved;
}

void Engine::retire_if_finished(Connection* connection, std::unique_lock<std::mutex> lock) {
  if (!connection->finished()) return;
  connection->release();
  lock.unlock();
  connections.give_back(connection);
}

// The kernel sends what a process wrote before it ended; what is still with us has to get there first. An
// answer that the program did not wait for is recorded if it comes soon: the request was made.
void Engine::send_what_is_owed() {
  constexpr timespec kStep{0, 1'000'000};
  constexpr std::int64_t kPatience = 1'000'000'000;
  std::int64_t until = steady_now() + kPatience;
  bool owed = true;
  while (owed && steady_now() < until) {
    owed = false;
    connections.for_each([&](Connection& connection) { owed = connection.abandon() || owed; });
    if (owed) nanosleep(&kStep, nullptr);
  }
}

void Engine::open_cassette() {
  if (!off_) static_cast<void>(deck_->current());
}

void Engine::keep_rights() {
  if (off_ || !owns_process()) return;
  tls();
  deck_->keep_open([this](const std::string& name, Descriptor file) {
    if (file) host.keep_file(name.c_str(), move_up(file.release()));
  });
  auto keep_path = [this](const std::string& path, int flags) {
    if (!path.empty() && host.kept_file(path.c_str()) < 0)
      host.keep_file(path.c_str(),
                     move_up(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0666)));
  };
  keep_path(settings.config_file, O_RDONLY);
  keep_path(settings.log_file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
  host.keep_settings(settings.runtime_dir.c_str(), settings.state_dir.c_str(),
                     settings.config_file.c_str());
}

void Engine::get_ready(bool filtered) {
  if (off_ || !owns_process()) return;
  keep_rights();
  if (Connection* first = connections.acquire()) connections.give_back(first);
  // What the thread is needed for later says so then.
  if (service.ensure_running() == 0 && filtered) filtered_.store(true, std::memory_order_relaxed);
}

bool Engine::owns_process() const { return process_.load(std::memory_order_relaxed) == getpid(); }

void Engine::leave(bool ended_well) {
  if (!owns_process()) return;
  send_what_is_owed();
  connections.for_each([](Connection& connection) { connection.program_exits(); });
  if (off_) return;
  failures.record(*deck_->current());
  deck_->leave(ended_well);
}

// In the order in which they are taken elsewhere: who is in a connection asks for the others.
void Engine::before_fork() {
  if (!host.begin_fork()) return;
  connections.lock();
  tls_mutex_.lock();
  judgements.lock();
  trust.lock();
  names.lock();
  failures.lock();
  service.before_fork();
  deck_->before_fork();
  lock_private_numbers();
}

void Engine::unlock_after_fork() {
  unlock_private_numbers();
  failures.unlock();
  names.unlock();
  trust.unlock();
  judgements.unlock();
  tls_mutex_.unlock();
  connections.unlock();
}

void Engine::after_fork_in_parent() {
  if (host.forks_outside_engine()) {
    deck_->after_fork_in_parent();
    service.after_fork_in_parent();
    unlock_after_fork();
  }
  host.end_fork();
}

void Engine::after_fork_in_child(bool shares_descriptors) {
  // What was interrupted is half done, for ever: this process is not one that the engine works for.
  if (host.forks_outside_engine()) {
    process_.store(getpid(), std::memory_order_relaxed);
    filtered_.store(false, std::memory_order_relaxed);  // it has no thread that is not
    connections.forget_all_in_child(shares_descriptors);
    host.clear_owners(shares_descriptors);
    deck_->after_fork_in_child();
    service.after_fork_in_child(shares_descriptors);
    failures.forget_in_child();
    unlock_after_fork();
  }
  host.end_fork();
}

}  // namespace cassette

extern "C" __attribute__((visibility("default"))) const cassette::EngineApi* cassette_engine_start(
    const cassette::HostApi* host) {
  using namespace cassette;
  if (host->version != kEngineVersion) return nullptr;
  static ProgramHeap program_heap;
  program_heap = {host->free, host->realloc, host->exception_state};
  use_heap(&kHeap, &program_heap);
  if (host->program_name != nullptr) program_invocation_short_name = host->program_name;
  use_inherited_files(host->kept_file, host->drop_kept);
  // Never destroyed: threads of the program may be in it while the process ends.
  try {
    the_engine = new Engine(*host);
    change_entries("_Fork", host->hook_of_fork);
  } catch (const std::exception&) {
    log(LogLevel::kError, std::string_view("the engine has no memory to begin with"));
    return nullptr;
  }
  pthread_atfork([] { engine().before_fork(); }, [] { engine().after_fork_in_parent(); },
                 [] { engine().after_fork_in_child(false); });
  return &interpose_api();
}
