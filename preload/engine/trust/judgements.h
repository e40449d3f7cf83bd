// The program is shown a certificate of ours, and judges the real server: where its TLS library can be asked (openssl.h,
// gnutls.h), the real server's chain takes the place of ours inside the program's own check. Here both sides meet: by the
// certificate that was presented.
//
// Thread safety: everything from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace cassette {

class Judgements {
 public:
  enum class Verdict : std::uint8_t { kUnknown, kTrusted, kDistrusted };

  /// The real server that a certificate of ours stands for.
  struct Server {
    /// DER, its own certificate first: is judged in place of ours. Empty: ours is, and the session's authority is trusted.
    std::vector<std::string> chain;
    std::int64_t recorded_at = 0;  ///< seconds since 1970: what is judged as of then; 0: now
    /// Signs what is stapled (DER), and is trusted with it where the program trusts the server; empty: nothing is stapled.
    std::string status_signer;
    bool may_be_asked = false;  ///< later, when there is something to record
  };
  /// Is a chain (DER, the server's own first) trusted? Called in any thread.
  using Judge = std::function<bool(const std::vector<std::string>& chain)>;

  /// A program is shown `leaf` (DER).
  void present(const std::string& leaf, Server server) {
    std::lock_guard guard(mutex_);
    Entry& entry = entries_[leaf];
    if (!entry.presented) entry.server = std::move(server);  // whoever has a pointer to it keeps it
    entry.presented = true;
    entry.verdict =
        Verdict::kUnknown;  // of an earlier connection, which may have had other settings
    entry.accepts_all = false;
  }
  /// nullptr: the certificate is none of ours. Valid for ever.
  const Server* server_of(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    return found == entries_.end() ? nullptr : &found->second.server;
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

  /// The judge for a server that is asked long after the program's check of `leaf`. The first one stays.
  bool wants_late_judge(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    return found != entries_.end() && found->second.server.may_be_asked &&
           !found->second.late_judge;
  }
  void set_late_judge(const std::string& leaf, Judge judge) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    if (found != entries_.end() && !found->second.late_judge)
      found->second.late_judge = std::move(judge);
  }
  /// False when there is no judge.
  bool judge_late(const std::string& leaf, const std::vector<std::string>& chain) {
    Judge judge;
    {
      std::lock_guard guard(mutex_);
      if (auto found = entries_.find(leaf); found != entries_.end())
        judge = found->second.late_judge;
    }
    return judge && judge(chain);
  }
  /// The program's settings say that it goes on whatever its check says.
  void accepts_all(const std::string& leaf, bool all) {
    std::lock_guard guard(mutex_);
    if (auto found = entries_.find(leaf); found != entries_.end()) found->second.accepts_all = all;
  }
  bool accepts_all(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    return found != entries_.end() && found->second.accepts_all;
  }
  /// The program's own check of `leaf` succeeded.
  void accept(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    if (auto found = entries_.find(leaf); found != entries_.end()) found->second.accepted = true;
  }
  bool accepted(const std::string& leaf) {
    std::lock_guard guard(mutex_);
    auto found = entries_.find(leaf);
    return found != entries_.end() && found->second.accepted;
  }

  /// This process has NSS, and its checks come here.
  void set_asks_nss() { asks_nss_.store(true, std::memory_order_relaxed); }
  bool asks_nss() const { return asks_nss_.load(std::memory_order_relaxed); }

  /// Around fork.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  struct Entry {
    Server server;
    bool presented = false;
    Verdict verdict = Verdict::kUnknown;
    bool accepted = false;
    bool accepts_all = false;
    Judge late_judge;
  };
  std::atomic<bool> asks_nss_ = false;  // once true for ever, and nothing else depends on it
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace cassette
