// Is the real server to be trusted? The program decides that, where it can be asked: it checks the
// certificate that we present, and inside that check (preload/hooks/trust.cc) its own store judges the
// real server's chain too. Here both sides meet: by the certificate that was presented.
//
// Thread safety: everything from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace cassette {

class Judgements {
 public:
  enum class Verdict : std::uint8_t { kUnknown, kTrusted, kDistrusted };

  /// A program is shown `leaf` (DER) in place of the certificate that begins `chain` (DER; empty when
  /// no server was asked).
  void present(const std::string& leaf, const std::vector<std::string>& chain) {
    std::lock_guard guard(mutex_);
    entries_.try_emplace(leaf, Entry{chain, Verdict::kUnknown});
  }
  /// What the real server sent in place of this; nullptr: it is not ours. Valid for ever.
  const std::vector<std::string>* chain_of(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    return found == entries_.end() ? nullptr : &found->second.chain;
  }
  void judge(const std::string& leaf, bool trusted) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    if (found == entries_.end()) return;
    found->second.verdict = trusted ? Verdict::kTrusted : Verdict::kDistrusted;
  }
  Verdict verdict(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    return found == entries_.end() ? Verdict::kUnknown : found->second.verdict;
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  struct Entry {
    std::vector<std::string> chain;
    Verdict verdict = Verdict::kUnknown;
  };
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace cassette
