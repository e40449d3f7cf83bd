// The logger. See log.h. Must neither allocate, lock nor wait where it writes (it runs in other people's
// processes, at times in a signal handler or between fork and exec), and holds no descriptor of its
// own: a program that closes all descriptors would close it, or get its number.
#include "store/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>

#include "store/standard_error.h"

#include "store/inherited_files.h"

namespace cassette {
namespace {

/// Never changed once published, never freed: a thread may be reading the one before.
struct LogConfiguration {
  LogLevel level;
  std::string file;
  const LogConfiguration* previous;
};

std::atomic<const LogConfiguration*> g_configuration{nullptr};

LogLevel current_level() {
  const auto* configuration = g_configuration.load(std::memory_order_acquire);
  return configuration != nullptr ? configuration->level : LogLevel::kWarn;
}

std::atomic<bool (*)(const char*, std::size_t)> g_say{say};

/// Collects a line and writes it at once; only one that is longer than a pipe takes in one piece is
/// written in several, and the rest of it lost when one of them is.
class Line {
 public:
  explicit Line(int descriptor) : descriptor_(descriptor) {}

  void put(char c) {
    if (used_ == buffer_.size()) flush();
    buffer_[used_++] = c;
  }
  void put(std::string_view text) {
    for (char c : text) put(c);
  }

  void flush() {
    if (goes_on_ && descriptor_ >= 0) {
      const long written = write_at_once(descriptor_, buffer_.data(), used_);
      // A line that cannot be written where it was asked for is better told than lost.
      if (written != static_cast<long>(used_)) descriptor_ = -1;
    }
    if (goes_on_ && descriptor_ < 0)
      goes_on_ = g_say.load(std::memory_order_relaxed)(buffer_.data(), used_);
    used_ = 0;
  }
  void end() {
    flush();
    goes_on_ = true;
  }

 private:
  int descriptor_;
  bool goes_on_ = true;
  std::size_t used_ = 0;
  std::array<char, 4096> buffer_;
};

void write_message(int descriptor, std::string_view message) {
  static constexpr std::string_view kHexDigits = "0123456789abcdef";
  Line line(descriptor);
  while (!message.empty() && message.back() == '\n') message.remove_suffix(1);
  for (;;) {
    const std::size_t end = message.find('\n');
    line.put("cassette: ");
    for (char c : message.substr(0, end)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte != 0x7f) {
        line.put(c);
      } else {
        line.put("\\x");
        line.put(kHexDigits[byte >> 4]);
        line.put(kHexDigits[byte & 15]);
      }
    }
    line.put('\n');
    line.end();
    if (end == std::string_view::npos) return;
    message.remove_prefix(end + 1);
  }
}

}  // namespace

void configure_log(LogLevel level, const std::string& file) {
  const auto* previous = g_configuration.load(std::memory_order_relaxed);
  auto* configuration = new LogConfiguration{level, file, previous};
  // release: whoever sees the pointer sees what it points to.
  while (!g_configuration.compare_exchange_weak(configuration->previous, configuration,
                                                std::memory_order_release,
                                                std::memory_order_relaxed)) {
  }
}

void tell_by(bool (*say)(const char* line, std::size_t size)) {
  g_say.store(say, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) { return level != LogLevel::kOff && level <= current_level(); }

void log(LogLevel level, std::string_view message) {
  if (!log_enabled(level)) return;
  const int saved_errno = errno;
  const auto* configuration = g_configuration.load(std::memory_order_acquire);
  int descriptor = -1;
  if (configuration != nullptr && !configuration->file.empty()) {
    // Below another root directory the path would make another file.
    const int kept = inherited_file(configuration->file);
    descriptor =
        kept >= 0 ? ::fcntl(kept, F_DUPFD_CLOEXEC, 3)
                  : ::open(configuration->file.c_str(),
                           O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
  }
  write_message(descriptor, message);
  if (descriptor >= 0) ::close(descriptor);
  errno = saved_errno;
}

}  // namespace cassette
