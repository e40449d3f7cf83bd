// The places of the named sessions: how many of them there may be (CASSETTE_MAX_SESSIONS).
//
//   $runtime_dir/places/<k>   a hard link to `place` in the directory of the session that has place
//                             k = 0, 1, ...; that file says the name of the directory
//
// link(2) gives a place to one and no other. A session takes its place while its directory is made
// under another name, and has it for good once the directory has its own.
//
// Invariants
//  1. A place is only freed (unlinked) by one who holds flock(LOCK_EX) on the file behind it, and has
//     checked under that lock that the place still leads to that file. So nobody takes away a place
//     that was freed and given anew in the meantime.
//  2. Whoever makes a session holds that lock until the directory has its name. So a place whose lock
//     can be had and whose session is not there is that of one who died, or has ended: it is
//     reclaimed.
//  3. Nobody waits: a lock that cannot be had means that the place is in use, or just being freed.
//
// Thread safety: all of it, from any thread of any process.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "parser/result.h"
#include "store/session/descriptor.h"
#include "store/settings/settings.h"

namespace cassette {

/// The name of the file in a session's directory.
inline constexpr char kPlaceFile[] = "/place";

class Place {
 public:
  /// A place for the session that is made in the directory `made`, which is going to be called
  /// `name` in the sessions' directory. Dead and expired sessions give theirs first when all are
  /// taken. Nothing: the pool is full.
  static Result<std::optional<Place>> claim(const Settings& settings, const std::string& made,
                                            std::string_view name);

  Place(Place&&) = default;
  Place& operator=(Place&&) = default;

  /// The session did not come into being after all.
  void give_back();

 private:
  Place(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  Descriptor file_;  ///< locked until the session has its name (or this is destroyed)
  std::string path_;
};

/// Frees the place of a session whose directory was renamed to `ended`. What does not succeed is
/// reclaimed by the next who finds the pool full.
void free_place(const std::string& runtime_dir, const std::string& ended);

}  // namespace cassette
