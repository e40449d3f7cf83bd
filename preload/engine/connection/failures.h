// Places that cannot be reached and names that cannot be found: recorded like answers, replayed as the same error at
// the same call. While recording, a failure counts when nothing came of it: a place that was reached after all
// (the second address of a name, a server that needed its time) was not unreachable. So they are kept
// until the process ends.
//
// Thread safety: from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "store/player/player.h"

namespace cassette {

class Failures {
 public:
  /// connect(2) failed with that errno, or succeeded (0). Errors that say nothing of the place are left out.
  void connected(const std::string& host, std::uint16_t port, int error);
  /// A lookup ended with that EAI code, or 0.
  void resolved(const std::string& name, int code);

  /// Records what is left. Once, at the end.
  void record(Player& player);

  /// The errno or EAI code that was recorded, 0 for none: the place is to be taken for one that is there.
  static int connect_error(Player& player, std::string_view host, std::uint16_t port);
  static int resolve_error(Player& player, std::string_view name);

  /// Around fork: what the parent met the child did not.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  void forget_in_child() { failures_.clear(); }

 private:
  struct Place {
    std::string host;
    std::uint16_t port;  ///< 0: the name
    auto operator<=>(const Place&) const = default;
  };
  struct Failure {
    std::string error;  ///< empty: it was reached, too
    std::int64_t began = 0;
  };
  void note(Place place, const char* error);

  std::mutex mutex_;
  std::map<Place, Failure> failures_;
};

}  // namespace cassette
