// What was said on stderr already: a program that fails a hundred times for one reason is told once.
// Thread safety: from any thread.
#pragma once

#include <mutex>
#include <set>
#include <string>

namespace cassette {

class Told {
 public:
  /// True the first time.
  bool first(const std::string& message) {
    std::lock_guard guard(mutex_);
    return messages_.size() < kMost && messages_.insert(message).second;
  }

 private:
  static constexpr std::size_t kMost = 1000;
  std::mutex mutex_;
  std::set<std::string> messages_;
};

}  // namespace cassette
