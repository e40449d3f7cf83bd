// A session: the scope in which playback positions advance, and the files that its processes share.
//
//   $runtime_dir/                 ours alone: owner checked, no link, not writable by others
//     sessions/                   0700
//       <id>/                     one session. <id> is
//                                   <pid>-<ns>       CASSETTE_TREE up to its first ':'
//                                   named-<name>     CASSETTE_SESSION
//                                   process-<pid>-<tick>   scope `process`, or no tree
//         alive                   a line of text (session_files.h); every process holds a
//                                 flock(LOCK_SH) on an open file description of it
//         history                 every request it handled (history.h)
//         authority               its certificate authority (preload/tls/authority.h)
//         place                   of a named session: its place in the pool (pool.h)
//         <path key>/             a cassette; made under another name and renamed: the first wins
//           cursors               its positions and counters (cursors.h)
//           users                 who inserted it (tracking.h)
//           <settings key>.image  compiled for these match settings (image.h); link(2): the first
//                                 wins; it is there when its .hints are. A damaged one is replaced
//           <settings key>.hints
//         ended-well ended-failed how the root of the tree ended, once it has
//         ending                the same, by a root that could not make files there any more
//         discarded             it ended with an error, and wants nothing kept of what it recorded
//         secrets                 digests of what redaction took out of answers (known_secrets.h);
//                                 there when something was
//         not-recorded          what could not be recorded, and why: for the summary
//         told-<key>            a message that was told in this session, by a process of the tree in the key
//         totals                  what sessions of scope `process` inside this tree came to
//       .ended-<token>/           a session whose last process is merging it, or died at that
//       .new-<pid>-<n>/           a session that is being made
//     places/                     of the named sessions (pool.h)
//
// The thin library asks with one access(2) on $runtime_dir/sessions/<id> whether the tree has a
// session at all: the root of a tree that was never intercepted itself has to end it
// (end_session()).
//
// How `alive` works. The description is mapped into memory and its descriptor closed: a mapping
// keeps the description, and with it the lock, until the process has died, called exec or left. So
// there is no descriptor that the program could close by accident, a forked child keeps the session
// alive as long as it lives, and nothing has to be cleaned up after a kill -9.
//
// Invariants
//  1. A directory under its <id> always has its `alive`: it is made under .new-... and renamed.
//  2. Whoever holds LOCK_EX on `alive` of a session ends it. LOCK_EX is only tried by one who knows
//     that the root of the tree is gone or is itself; so one who fails to get it may rely on
//     another. (A named session has no root: there, whoever leaves tries, and merges under LOCK_SH, so
//     that others can join.)
//  3. Who joins checks, with LOCK_SH held, that the directory entry is still the inode that it
//     locked: a session that is renamed away is never joined.
//  4. Ending is idempotent: merging, harvesting and removing may be begun again by the next to come
//     by.
//  5. A session that is ended although processes are in it (control.h) is renamed away first and then
//     marked in the cursors of all its cassettes: whoever goes on with one of them sees that.
//
// Thread safety: join(), end_session() and the const functions from any thread; open_cassette() and
// leave() by one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"
#include "store/image/image.h"
#include "store/inherited_files.h"
#include "store/session/cursors.h"
#include "store/session/descriptor.h"
#include "store/session/history.h"
#include "store/settings/settings.h"

namespace cassette {

/// Which session a process belongs to.
struct SessionIdentity {
  enum class Kind { kTree, kNamed, kProcess };
  Kind kind = Kind::kProcess;
  std::string id;  ///< name of its directory
  /// Not for kNamed. kTree: nanoseconds since boot when the tree began; kProcess: clock ticks since
  /// boot when the process began.
  int root_pid = 0;
  std::uint64_t root_began = 0;

  /// False also when this cannot be known from here (another namespace, no /proc).
  bool root_is_gone() const;
  bool root_is_this_process() const;
  /// kTree: when the tree began, microseconds since 1970, as the machine's clock is set now. Rather too late than too
  /// early.
  std::optional<std::int64_t> began_at() const;
};

/// `tree`: the value of CASSETTE_TREE; empty: the process is its own tree.
Result<SessionIdentity> session_identity(const Settings& settings, std::string_view tree);

/// What a session did with one cassette so far.
struct CassetteCounts {
  std::string path;
  std::uint64_t replayed = 0;
  std::uint64_t recorded = 0;
  std::uint64_t missed = 0;
  std::uint64_t record_failures = 0;
  std::uint64_t relayed = 0;       ///< connections that went past the cassette
  std::uint64_t refused = 0;       ///< connections that would have, and were refused
  std::uint64_t redacted = 0;      ///< values replaced by a placeholder in recorded responses
  std::uint64_t interactions = 0;  ///< in the cassette when the session began
  std::uint64_t unused = 0;        ///< of these, not played in this session
};

/// A request whose answer is not in the cassette although it was to be recorded.
struct NotRecorded {
  std::string cassette;
  std::string what;  ///< method and URI, redacted
  std::string why;
};

/// The compiled cassette and its positions, shared by all processes of a session.
struct OpenCassette {
  std::shared_ptr<const Image> image;
  std::shared_ptr<Cursors> cursors;
  std::uint64_t key = 0;  ///< of its path (session_files.h)
  std::string directory;  ///< of its files

  std::string users() const { return directory + "/users"; }  ///< for Tracking
};

class Session {
 public:
  /// Joins the session, or creates it (and then ends the dead sessions of others in that place). A
  /// named one that is new takes a place in the pool; an error when that is full.
  static Result<std::unique_ptr<Session>> join(const Settings& settings, std::string_view tree);
  /// Makes a named session that no process is in, unless it is there already.
  enum class Creation { kCreated, kAnotherWasFirst, kPoolFull };
  static Result<Creation> create(const Settings& settings, const SessionIdentity& identity);
  /// Gives up the membership without ending anything (as a death of the process would).
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& id() const { return identity_.id; }
  /// As the user calls it.
  std::string name() const;
  /// Unlike the id never used again: names the session in a journal.
  const std::string& token() const { return token_; }
  History& history() const { return *history_; }
  const std::string& directory() const { return directory_; }

  /// The cassette as it was when the session began. `path` is absolute (cassette_path()). The first
  /// process of the session merges a journal that dead sessions left, loads and compiles; the
  /// others map what it made. For a session that a child begins when the root of its tree has ended,
  /// the cassette is as it was when the tree began: the child goes on with what its parents did. Errors: the cassette does not parse, no memory for the session, ...
  /// `writes` false: for who only plays it; the file stays as it is, whatever the mode.
  Result<OpenCassette> open_cassette(const std::string& path, bool writes = true);
  /// One to fall back on. An error also when it is not there.
  Result<OpenCassette> open_fallback(const std::string& path);

  /// For every cassette that was opened in this session, by path.
  Result<std::vector<CassetteCounts>> counts() const;

  /// Leaves. `ended_well` is what the program says (exit status 0) and counts for the root of a
  /// tree, a session of scope `process`, and any process of a named session: it decides about
  /// `rewrite` and `all`. The last one out merges what was recorded and harvests what was played.
  /// Of the processes of a named one only the root of a tree is asked. False: not all that was recorded
  /// is in its cassette; what was wrong is logged. The cassettes that were opened stay usable. The
  /// second call does nothing.
  bool leave(bool ended_well);
  /// Whether its directory can be found from here, by this user, and is still this session's.
  bool is_still_there() const;

  /// True once for each `message` in the process tree: what happens at every connection is told once a run. True
  /// also where that cannot be known. Thread safety: any thread of any process.
  bool first_to_tell(std::string_view message) const;

  /// Opens what a process needs that joins, for who may not open it later.
  void keep_open(const KeepFile& keep) const;

  /// For the summary of `cassette run`; with scope `process`, that of the tree.
  void note_not_recorded(const NotRecorded& note) const;
  std::vector<NotRecorded> not_recorded() const;

  /// After fork(), in the child, for scope `process`: the parent's session is not the child's.
  void abandon();

 private:
  Session(const Settings& settings, SessionIdentity identity);
  Result<void> join_or_create();
  std::optional<Error> is_elsewhere() const;
  Result<bool> try_join();
  Result<bool> join_inherited(Descriptor alive);
  Result<Creation> try_create();
  Result<void> adopt(Descriptor alive);
  Result<void> open_history();
  Result<OpenCassette> open_or_compile(const std::string& path, bool writes) const;
  Result<std::string> compile(const std::string& path, const std::string& settings,
                              bool writes) const;
  bool outlived_its_root(const std::string& path) const;
  bool take_back_own(const std::string& path, std::int64_t tree_began, Cassette& cassette) const;
  Result<void> add_cassette(const std::string& directory, const std::string& settings_key,
                            const std::string& bytes, bool replace) const;
  std::string directory_of_run() const;

  Settings settings_;
  SessionIdentity identity_;
  std::string tree_;     ///< the value of CASSETTE_TREE
  std::string tree_id_;  ///< the tree this process belongs to, which may not be its session
  std::string directory_;
  std::string token_;
  void* alive_ = nullptr;  ///< the mapping that holds the lock
  dev_t device_ = 0;       ///< of `alive`
  ino_t inode_ = 0;
  std::unique_ptr<History> history_;
};

/// For a process that never joined: when it is the root of a tree that has a session, ends it as
/// leave() would.
void end_session(const Settings& settings, std::string_view tree, bool ended_well);

/// Ends the sessions in `settings.runtime_dir` whose processes are all gone. Errors are logged.
void sweep_sessions(const Settings& settings);

/// True when the session that a journal names may still add to it, or will be merged by its last
/// process.
bool session_may_record(const std::string& runtime_dir, std::string_view token);

/// Ids of the interactions of the cassette at `path` that sessions played which were not harvested
/// yet.
std::vector<std::string> ids_played_in_sessions(const std::string& runtime_dir,
                                                const std::string& path);
/// For `report-unused --reset`: what they played until now counts as unplayed, for their own counts
/// too.
void forget_played_in_sessions(const std::string& runtime_dir, const std::string& path);

}  // namespace cassette
