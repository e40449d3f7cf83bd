// Start and end of tracking of a cassette by those who insert and eject it (the C API). Uses by
// several processes of a session nest: all of them share the cursors, and only the outermost end
// takes them back to the beginning. A cassette that the session itself tracks (`cassette run`, the
// preload's own cassette) is never rewound by an end.
//
// How it works: every user holds a flock(LOCK_SH) on `users` beside the cursors, on a description
// that is mapped and whose descriptor is closed (session.h has why). Who gets LOCK_EX is alone: at
// the start nobody uses the cassette, at the end nobody does any more. The kernel frees the locks of
// the dead, so the first to come behind a killed user finds the cassette at its beginning.
//
// A forked child keeps its parent's use for as long as it lives.
//
// Thread safety: none; the owner's lock is held around it.
#pragma once

#include <memory>
#include <string>

#include "parser/result.h"
#include "store/session/cursors.h"

namespace cassette {

class Tracking {
 public:
  /// `users` is the file of that name.
  static Result<Tracking> start(const std::string& users, std::shared_ptr<Cursors> cursors);

  Tracking(Tracking&& other) noexcept;
  Tracking& operator=(Tracking&&) = delete;
  /// Ends.
  ~Tracking();

 private:
  Tracking() = default;

  std::string users_;
  std::shared_ptr<Cursors> cursors_;
  void* held_ = nullptr;  ///< the mapping that holds the lock
};

}  // namespace cassette
