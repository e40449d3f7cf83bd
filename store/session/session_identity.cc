// Which session a process belongs to, and whether the root of a process tree still lives. All of it
// from CASSETTE_TREE and /proc; where those do not say, a root counts as alive: a session that is
// ended too late costs memory, one that is ended too early its positions.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "store/session/descriptor.h"
#include "store/session/session.h"
#include "store/session/session_files.h"

namespace cassette {

namespace {

struct ProcessState {
  char state = '?';
  long threads = 0;
  std::uint64_t start = 0;  ///< clock ticks since boot
};

/// From /proc/PID/stat; nothing when it cannot be read.
std::optional<ProcessState> process_state(int pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/stat";
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  char text[1024];
  ssize_t size = read(file.get(), text, sizeof text - 1);
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  // The second field is the program's name in parentheses, which may have spaces and parentheses
  // itself.
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') return std::nullopt;
  at += 2;
  ProcessState result;
  result.state = *at;
  // `at` is field 3; the number of threads is field 20, the start time field 22.
  for (int field = 3; field < 22; ++field) {
    at = std::strchr(at, ' ');
    if (at == nullptr) return std::nullopt;
    ++at;
    if (field + 1 == 20) result.threads = std::strtol(at, nullptr, 10);
  }
  result.start = std::strtoull(at, nullptr, 10);
  return result;
}

template <typename Number>
bool take_number(std::string_view& text, Number& number) {
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

/// The root's start time has to be at most this. A tree was begun by a process that ran already;
/// one tick of slack for the rounding.
std::uint64_t latest_start(const SessionIdentity& identity) {
  if (identity.kind == SessionIdentity::Kind::kProcess) return identity.root_began;
  auto ticks = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  return identity.root_began / (1'000'000'000u / ticks) + 1;
}

/// A file name for any name: what is not plain becomes %XX.
std::string escaped(std::string_view name) {
  std::string result;
  for (char c : name) {
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '-';
    if (plain) {
      result.push_back(c);
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      auto byte = static_cast<unsigned char>(c);
      result.push_back('%');
      result.push_back(kDigits[byte >> 4]);
      result.push_back(kDigits[byte & 15]);
    }
  }
  return result;
}

}  // namespace

bool is_stopped(int pid) {
  auto state = process_state(pid);
  return state && (state->state == 'T' || state->state == 't');
}

bool SessionIdentity::root_is_gone() const {
  if (kind == Kind::kNamed || root_pid <= 0) return false;
  if (kill(root_pid, 0) != 0) return errno == ESRCH;
  auto state = process_state(root_pid);
  if (!state) return false;
  // Nobody has waited for it yet. (The first thread of a process may be gone while others run.)
  if ((state->state == 'Z' || state->state == 'X') && state->threads <= 1) return true;
  return state->start > latest_start(*this);  // another process by now
}

bool SessionIdentity::root_is_this_process() const {
  if (kind == Kind::kNamed || root_pid != getpid()) return false;
  auto state = process_state(root_pid);
  return !state || state->start <= latest_start(*this);
}

std::optional<std::int64_t> SessionIdentity::began_at() const {
  if (kind != Kind::kTree) return std::nullopt;
  // In this order: whoever is interrupted in between takes the tree for younger.
  const std::uint64_t since_boot = nanoseconds(CLOCK_BOOTTIME);
  const std::uint64_t now = nanoseconds(CLOCK_REALTIME);
  return static_cast<std::int64_t>((now - since_boot + root_began) / 1000);
}

std::optional<SessionIdentity> identity_of(std::string_view name) {
  constexpr std::string_view kNamed = "named-";
  constexpr std::string_view kProcess = "process-";
  SessionIdentity identity;
  identity.id = name;
  if (name.starts_with(kNamed)) {
    identity.kind = SessionIdentity::Kind::kNamed;
    return identity;
  }
  identity.kind = SessionIdentity::Kind::kTree;
  if (name.starts_with(kProcess)) {
    identity.kind = SessionIdentity::Kind::kProcess;
    name.remove_prefix(kProcess.size());
  }
  if (!take_number(name, identity.root_pid) || identity.root_pid <= 0 || !name.starts_with('-')) {
    return std::nullopt;
  }
  name.remove_prefix(1);
  if (!take_number(name, identity.root_began) || !name.empty()) return std::nullopt;
  return identity;
}

std::string name_of(const SessionIdentity& identity) {
  if (identity.kind != SessionIdentity::Kind::kNamed) return identity.id;
  std::string_view escaped = std::string_view(identity.id).substr(std::strlen("named-"));
  std::string name;
  while (!escaped.empty()) {
    unsigned byte = 0;
    if (escaped.size() >= 3 && escaped.front() == '%' &&
        std::from_chars(escaped.data() + 1, escaped.data() + 3, byte, 16).ec == std::errc()) {
      name.push_back(static_cast<char>(byte));
      escaped.remove_prefix(3);
    } else {
      name.push_back(escaped.front());
      escaped.remove_prefix(1);
    }
  }
  return name;
}

Result<SessionIdentity> session_identity(const Settings& settings, std::string_view tree) {
  if (!settings.session.empty()) {
    std::string name = "named-" + escaped(settings.session);
    if (name.size() > 200) return Error{"the session's name is too long: " + settings.session};
    return *identity_of(name);
  }
  if (settings.session_scope == SessionScope::kProcess || tree.empty()) {
    auto state = process_state(getpid());
    return *identity_of("process-" + std::to_string(getpid()) + "-" +
                        std::to_string(state ? state->start : 0));
  }
  auto identity = identity_of(tree.substr(0, tree.find(':')));
  if (!identity || identity->kind != SessionIdentity::Kind::kTree) {
    return Error{"CASSETTE_TREE is not what the library makes: " + std::string(tree)};
  }
  return *identity;
}

}  // namespace cassette
