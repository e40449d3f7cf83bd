// What a process plays from: the cassette of its settings, or the one that it inserted last, in the
// session of its settings, or in the one that it started last. Opens sessions and players when they
// are first needed, and answers the C API (preload/cassette.h).
//
// Insert and eject nest, and hold for the whole process. A cassette that is inserted twice keeps its
// player; the outermost eject ends its tracking (store/session/tracking.h).
//
// Thread safety: everything from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"
#include "store/player/player.h"
#include "store/session/control.h"
#include "store/session/session.h"
#include "store/session/tracking.h"
#include "store/settings/settings.h"

namespace cassette {

class Deck {
 public:
  /// `tree` is the value of CASSETTE_TREE (tree.h), which names the session, the {program} and the
  /// directory of a relative cassette; empty: this process is its own tree, in the working
  /// directory. `problem`: why the settings cannot be used, or empty.
  Deck(Settings settings, std::string tree, std::string problem = "");
  ~Deck();

  /// Who answers now. Never fails: see Player::broken().
  std::shared_ptr<Player> current();
  /// Changes when current() does: saves asking.
  std::uint32_t generation() const { return generation_.load(std::memory_order_acquire); }

  /// Where the session of the settings keeps its certificate authority.
  Result<std::string> authority_file();

  /// What this process uses of its sessions and cassettes, for who may not open it later.
  void keep_open(const KeepFile& keep);

  // The C API. An error has one sentence.

  /// `path` is relative to the working directory, and may have {key}s. A cassette that cannot be
  /// opened is inserted all the same, and answers every request with the reason: nothing is recorded
  /// elsewhere, and eject() finds what it expects.
  Result<void> insert(const std::string& path);
  /// Error: nothing is inserted.
  Result<void> eject();
  Result<void> rewind() { return current()->rewind(); }
  /// The first interaction that is not used up; cassette_size() when there is none.
  Result<std::uint32_t> index() { return current()->index(); }
  Result<std::uint32_t> advance(bool plays) { return current()->advance(plays); }

  /// Registers and joins a named session (an empty id: a new one); the cassettes begin anew in it.
  Result<Registered> start_session(const std::string& id);
  /// Back to the session before it. Error: none was started.
  Result<void> end_session();

  /// Fills `{key}`; takes effect with the next cassette that is opened, and at once for the one of the
  /// settings. Error: a key or value that could not be inherited (a comma, an `=`).
  Result<void> put_context(const std::string& key, const std::string& value);
  /// Valid as long as this object, whatever comes later. nullptr: there is none.
  const char* context(const std::string& key);
  void clear_context();

  /// What a child that begins now has to be told so that it uses the same, by environment variable.
  /// Empty values: not to be set.
  std::map<std::string, std::string> for_children();

  /// Around fork(): what the child must not share is made anew there.
  void before_fork();
  void after_fork_in_parent();
  void after_fork_in_child();

  /// The process ends: leaves its sessions; the last one out merges the journal and removes the
  /// session. `ended_well`: exit status 0, where that is known. Of the root of the tree it decides
  /// whether what `all` and `rewrite` recorded takes the place of the old. A process that never
  /// opened anything ends the session of its tree if it is the root.
  void leave(bool ended_well = true);

 private:
  /// A session that was joined, or is going to be.
  struct Seat {
    std::string name;  ///< of a named one; empty: what the settings say
    std::shared_ptr<Session> session;
  };
  struct Inserted {
    std::string path;
    std::string problem;  ///< why there is no path
    std::shared_ptr<Player> player;
    std::shared_ptr<Tracking> tracking;
  };

  Settings settings_in(const Seat& seat) const;
  Result<std::shared_ptr<Session>> session_of(Seat& seat);
  std::shared_ptr<Player> open(const std::string& path, bool inserted,
                               std::shared_ptr<Tracking>* tracking);
  Result<std::shared_ptr<Player>> open_fallback(const std::string& path);
  std::shared_ptr<Player> with_fallbacks(std::shared_ptr<Player> first);
  std::shared_ptr<Player> broken(const std::string& problem, const std::string& path,
                                 std::shared_ptr<Session> session) const;
  std::shared_ptr<Player> base();
  std::shared_ptr<Player> top();
  Result<std::string> resolve(const Settings& settings) const;
  void changed();
  void forget_players();
  std::set<Player*> players() const;

  const std::string tree_;
  const std::string problem_;
  std::string program_;    ///< for {program}
  std::string directory_;  ///< where the tree began

  std::mutex mutex_;
  Settings settings_;        ///< the context in it changes
  std::vector<Seat> seats_;  ///< never empty; the first is that of the settings
  std::shared_ptr<Player> base_;
  std::vector<Inserted> inserted_;
  std::map<std::string, std::unique_ptr<std::string>> context_texts_;  ///< what context() gave out
  std::vector<std::unique_ptr<std::string>> old_texts_;
  std::atomic<std::uint32_t> generation_{1};
};

}  // namespace cassette
