// What the program trusts, as far as that can be known without asking its TLS library (judgements.h does
// that): the files that the environment chooses, else those of the system and those that the program was
// seen to open. Real servers are checked against this while recording.
//
// Thread safety: begin() before the others; the rest from any thread.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "preload/tls_api.h"

namespace cassette {

class Trust {
 public:
  /// `variable` reads the environment; `further`: CASSETTE_TLS_CA_FILE, or empty.
  void begin(const char* (*variable)(const char* name), const std::string& further);

  /// The program opened a file of certificates. `chosen`: because the user said so, which leaves
  /// the system's aside.
  void saw_file(const std::string& path, bool chosen);
  /// The same with what was in it, DER.
  void saw_certificates(const std::vector<std::string>& certificates, bool chosen);

  Anchors anchors() const;

  /// Around fork.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  mutable std::mutex mutex_;
  bool has_chosen_ = false;
  Anchors chosen_;  ///< instead of the system's
  Anchors seen_;    ///< with the system's
  std::vector<std::string> further_;
};

}  // namespace cassette
