// See service.h.
#include "preload/engine/connection/service.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <initializer_list>

#include "preload/engine/clock.h"
#include "preload/engine/connection/names.h"
#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

constexpr std::uint64_t kWakeTag = ~std::uint64_t{0};
constexpr std::size_t kStack = 512 * 1024;  ///< the YAML of a cassette is not parsed here
/// Where there is no memory for that (RLIMIT_AS, RLIMIT_DATA). A resolver and a handshake fit.
constexpr std::size_t kSmallStack = 160 * 1024;

// An event carries which connection it is for: 31 bits of index, 32 of generation, 1 of end.
std::uint64_t tag_of(const Connection& connection, Service::End end) {
  return std::uint64_t{connection.generation()} << 32 | std::uint64_t{connection.index()} << 1 |
         (end == Service::End::kOriginal ? 1 : 0);
}

/// proc_pid_stat(5). It may still be running its clean-up handlers.
bool main_is_dead() {
  char path[64], text[256] = "";
  std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", static_cast<int>(getpid()));
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  text[size > 0 ? size : 0] = '\0';
  const char* name_end = std::strrchr(text, ')');
  return name_end != nullptr && std::strncmp(name_end, ") Z", 3) == 0;
}

}  // namespace

int Service::ensure_running() {
  std::lock_guard guard(mutex_);
  if (runs()) return 0;
  if (epoll_ < 0) epoll_ = engine().move_up(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_ < 0) return errno;
  if (wake_ < 0) {
    wake_ = engine().move_up(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wake_ < 0) return errno;
    if (watch_wake() != 0) return errno;
  }
  const int error = start();
  running_.store(error == 0, std::memory_order_relaxed);
  return error;
}

int Service::watch_wake() {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeTag;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
}

bool Service::move_number(int from, int to) {
  std::lock_guard guard(mutex_);
  if (from == epoll_) {
    epoll_ = to;  // the thread that waits on the other number waits on the same file
    return true;
  }
  if (from != wake_) return false;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, wake_, nullptr);
  wake_ = to;
  watch_wake();
  return true;
}

/// Signals are the program's: the thread is born with all of them blocked.
int Service::start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  int error = EAGAIN;
  for (const std::size_t stack : {kStack, kSmallStack}) {
    pthread_attr_setstacksize(&attributes, stack);
    if (error == EAGAIN)
      error = engine().host.create_thread(&thread, &attributes, thread_main, this);
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

bool Service::step_aside() {
  constexpr timespec kStep{0, 50'000};
  constexpr std::int64_t kPatience = 2'000'000'000;  // it may be asking a resolver
  {
    std::lock_guard guard(mutex_);
    if (!running_ || thread_ == gettid()) return false;
    stopping_ = true;
  }
  nudge();
  // A thread that has been joined is still among those of the process for a moment.
  auto gone = [&] {
    const pid_t thread = thread_;
    return thread < 0 && syscall(SYS_tgkill, getpid(), -thread, 0) != 0;
  };
  const std::int64_t until = steady_now() + kPatience;
  while (!gone() && steady_now() < until) nanosleep(&kStep, nullptr);
  std::lock_guard guard(mutex_);
  stopping_ = false;
  return !running_;
}

/// The thread's last look: it may have been asked to go on meanwhile.
bool Service::ends() {
  std::lock_guard guard(mutex_);
  if (!stopping_) return false;
  running_ = false;
  thread_ = -gettid();
  return true;
}

void Service::step_back() {
  if (int error = ensure_running()) {
    log(LogLevel::kError,
        std::string("the service thread cannot begin again: ") + strerrordesc_np(error));
  }
}

void* Service::thread_main(void* self) {
  pthread_setname_np(pthread_self(), "cassette");
  engine().host.mark_engine_thread();
  auto& service = *static_cast<Service*>(self);
  service.thread_ = gettid();
  do {
    service.run();
  } while (!service.ends());
  return nullptr;
}

void Service::watch(const Connection& connection, End end, int fd, std::uint32_t events,
                    std::uint32_t* registered) {
  if (events == *registered || epoll_ < 0) return;
  int operation = events == 0 ? EPOLL_CTL_DEL : *registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_of(connection, end);
  if (::epoll_ctl(epoll_, operation, fd, &event) != 0 && operation != EPOLL_CTL_DEL) {
    log(LogLevel::kError, std::string("a connection cannot be watched: ") + strerrordesc_np(errno));
    return;
  }
  *registered = events;
}

void Service::look_at(const Connection& connection, std::int64_t time) {
  std::lock_guard guard(mutex_);
  timers_.emplace(time, Ticket{connection.index(), connection.generation()});
  if (waiting_until_ == 0 || time < waiting_until_) {
    waiting_until_ = time;  // further ones need no second nudge
    std::uint64_t one = 1;
    if (wake_ >= 0) (void)!::write(wake_, &one, sizeof one);
  }
}

void Service::nudge() {
  std::lock_guard guard(mutex_);
  std::uint64_t one = 1;
  if (wake_ >= 0) (void)!::write(wake_, &one, sizeof one);
}

void Service::call(void (*function)(void*), void* argument) {
  Task task{function, argument, errno, false};
  std::unique_lock lock(mutex_);
  if (!running_ || thread_ == gettid()) {
    lock.unlock();
    return function(argument);
  }
  tasks_.push_back(&task);
  std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
  task_done_.wait(lock, [&] { return task.done; });
  errno = task.error;
}

void Service::run_tasks() {
  std::unique_lock lock(mutex_);
  while (!tasks_.empty()) {
    Task* task = tasks_.front();
    tasks_.erase(tasks_.begin());
    lock.unlock();
    errno = task->error;
    task->function(task->argument);
    lock.lock();
    task->error = errno;
    task->done = true;
    task_done_.notify_all();
  }
}

/// glibc calls exit(3) in the last thread (pthread_exit(3)), and would wait for this one.
void Service::end_with_the_last_thread() {
  struct stat tasks {};
  // A directory's links: itself, its parent's entry, and a directory a thread: the main one stays, dead.
  constexpr nlink_t kMainAndThis = 2 + 2;
  if (stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink > kMainAndThis || !main_is_dead())
    return;
  engine().host.unmark_engine_thread();
  std::exit(0);
}

int Service::next_timeout() {
  std::lock_guard guard(mutex_);
  if (timers_.empty()) {
    waiting_until_ = 0;
    return -1;
  }
  waiting_until_ = timers_.begin()->first;
  std::int64_t wait = waiting_until_ - steady_now();
  if (wait <= 0) return 0;
  return static_cast<int>(std::min<std::int64_t>((wait + 999'999) / 1'000'000, INT_MAX));
}

void Service::run() {
  epoll_event events[64];
  while (!stopping_) {
    int timeout = next_timeout();
    const bool ends = engine().host.main_thread_ended();
    constexpr int kLookForOthers = 50;  // milliseconds
    if (ends && (timeout < 0 || timeout > kLookForOthers)) timeout = kLookForOthers;
    int count = epoll_wait(epoll_, events, 64, timeout);
    if (ends && count == 0) end_with_the_last_thread();
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWakeTag) {
        take_wake();
      } else {
        serve(events[i].data.u64, events[i].events);
      }
    }
    run_timers();
    run_tasks();
  }
}

void Service::take_wake() {
  std::lock_guard guard(mutex_);
  std::uint64_t ignored;
  if (wake_ >= 0) (void)!::read(wake_, &ignored, sizeof ignored);
}

void Service::serve(std::uint64_t tag, std::uint32_t events) {
  auto index = static_cast<std::uint32_t>(tag >> 1) & 0x7FFFFFFF;
  auto generation = static_cast<std::uint32_t>(tag >> 32);
  Connection* connection = engine().connections.at(index);
  if (connection == nullptr) return;
  std::unique_lock lock(connection->mutex);
  if (!connection->live() || connection->generation() != generation) return;
  try {
    (tag & 1) == 0 ? connection->engine_end_ready(events) : connection->original_ready(events);
  } catch (const std::exception&) {  // no memory
    connection->give_up();
  }
  engine().retire_if_finished(connection, std::move(lock));
}

void Service::run_timers() {
  std::int64_t now = steady_now();
  for (;;) {
    Ticket ticket;
    {
      std::lock_guard guard(mutex_);
      if (timers_.empty() || timers_.begin()->first > now) return;
      ticket = timers_.begin()->second;
      timers_.erase(timers_.begin());
    }
    Connection* connection = engine().connections.at(ticket.index);
    if (connection == nullptr) continue;
    std::unique_lock lock(connection->mutex);
    auto same = [&] { return connection->live() && connection->generation() == ticket.generation; };
    if (!same()) continue;
    try {
      serve_timer(connection, ticket, lock);
    } catch (const std::exception&) {  // no memory
      if (!lock.owns_lock()) lock.lock();
      if (same()) connection->give_up();
    }
    engine().retire_if_finished(connection, std::move(lock));
  }
}

void Service::serve_timer(Connection* connection, const Ticket& ticket,
                          std::unique_lock<std::mutex>& lock) {
  connection->look();
  if (!connection->wants_connect()) return;
  connection->resolving();
  Endpoint peer = connection->peer();
  lock.unlock();  // the resolver may take its time
  int error = 0;
  std::optional<Endpoint> address = real_address(peer, &error);
  lock.lock();
  if (connection->live() && connection->generation() == ticket.generation)
    connection->connect_upstream(address, error);
}

void Service::after_fork_in_child(bool shares_descriptors) {
  // The thread did not come along, and the epoll instance is the parent's too.
  if (epoll_ >= 0 && !shares_descriptors) ::close(epoll_);
  if (wake_ >= 0 && !shares_descriptors) ::close(wake_);
  epoll_ = wake_ = -1;
  running_.store(false, std::memory_order_relaxed);
  waiting_until_ = 0;
  timers_.clear();
  tasks_.clear();
  mutex_.unlock();
}

}  // namespace cassette
