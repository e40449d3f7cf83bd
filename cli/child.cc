// fork, exec, wait, and signals in between. See child.h.
#include "cli/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

namespace cassette {
namespace {

constexpr int kForwarded[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

/// Whom the handler passes signals on to; 0: nobody.
std::atomic<pid_t> forward_to{0};
static_assert(std::atomic<pid_t>::is_always_lock_free, "a signal handler reads it");

void forward(int signal, siginfo_t* info, void*) {
  // From the terminal: every process of the group got it, the program among them.
  if (info->si_code == SI_KERNEL) return;
  const int saved_errno = errno;
  const pid_t child = forward_to.load(std::memory_order_relaxed);
  if (child > 0) kill(child, signal);
  errno = saved_errno;
}

/// While it lives the signals of kForwarded come to forward(). In its constructor and destructor they are
/// blocked, so that none is lost between fork() and the moment when the child's pid is known.
class SignalForwarding {
 public:
  SignalForwarding() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : kForwarded) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &original_mask_);
  }
  SignalForwarding(const SignalForwarding&) = delete;
  SignalForwarding& operator=(const SignalForwarding&) = delete;

  void begin(pid_t child) {
    forward_to.store(child, std::memory_order_relaxed);
    for (int signal : kForwarded) {
      struct sigaction action {};
      action.sa_sigaction = forward;
      action.sa_flags = SA_SIGINFO | SA_RESTART;
      sigaction(signal, &action, &original_[signal]);
      // What was ignored when we were started (nohup, a shell's background job) stays ignored.
      if (original_[signal].sa_handler == SIG_IGN) sigaction(signal, &original_[signal], nullptr);
    }
    began_ = true;
    restore_mask();
  }
  /// To be called before the child is reaped: afterwards its pid may be another's.
  void end() {
    forward_to.store(0, std::memory_order_relaxed);
    if (!began_) return restore_mask();
    for (int signal : kForwarded) sigaction(signal, &original_[signal], nullptr);
    began_ = false;
  }
  void restore_mask() { sigprocmask(SIG_SETMASK, &original_mask_, nullptr); }

 private:
  sigset_t original_mask_{};
  struct sigaction original_[NSIG] {};
  bool began_ = false;
};

[[noreturn]] void become(const std::string& path, char* const* argv, char* const* environment,
                         int errors) {
  // `path` has a slash: this only adds that what is no program is given to the shell.
  execvpe(path.c_str(), argv, environment);
  const int error = errno;
  [[maybe_unused]] ssize_t written = write(errors, &error, sizeof error);
  _exit(kRunFailed);
}

Error system_error(const char* what) {
  return Error{std::string(what) + ": " + std::strerror(errno)};
}

/// The errno that the child sends when it could not become the program; 0 when the pipe closes empty.
int read_start_error(int fd) {
  int error = 0;
  ssize_t count;
  do {
    count = read(fd, &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  close(fd);
  return count == sizeof error ? error : 0;
}

}  // namespace

Result<ProgramEnd> run_program(const std::string& path, const Arguments& argv,
                               Environment environment) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> variables = environment.pointers();
  const std::string file = path.find('/') != std::string::npos ? path : "./" + path;

  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe");
  SignalForwarding signals;
  const pid_t child = fork();
  if (child == 0) {
    signals.restore_mask();
    become(file, arguments.data(), variables.data(), pipe_ends[1]);
  }
  close(pipe_ends[1]);
  if (child < 0) {
    Error error = system_error("cannot start a process");
    signals.end();
    close(pipe_ends[0]);
    return error;
  }
  signals.begin(child);

  ProgramEnd end;
  end.start_error = read_start_error(pipe_ends[0]);
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  signals.end();
  int status = 0;
  if (waitpid(child, &status, 0) != child) return system_error("cannot wait for the program");
  end.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return end;
}

}  // namespace cassette
