// Brings what a journal holds into its cassette.
//
// All of it happens under the journal's lock (journal.h), so that one merges at a time and nobody
// appends meanwhile; the lock of one who dies is free at once. The order is: save the cassette
// (temporary file, fsync, rename), then unlink the journal. One who dies between the two leaves a
// journal whose records are in the cassette already: they are recognised (same request, same
// answer, same microsecond) and not merged twice.
//
// What becomes of which record, and where it goes, is in docs/durability.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parser/result.h"
#include "store/cassette.h"
#include "store/match/match.h"

namespace cassette {

/// The session that is being ended, for merge_journal().
struct EndedSession {
  std::string token;
  bool ended_well = false;
  bool died = true;  ///< nobody said how it ended
  bool discards =
      false;  ///< ended with an error, nothing of it is kept (CASSETTE_DISCARD_ON_FAILURE)
  /// How many records it wrote: when the journal has fewer (somebody elsewhere merged a part as of
  /// a dead session), `rewrite` adds instead of replacing, so that nothing is lost.
  std::uint64_t recorded = 0;
  const Matcher* matcher = nullptr;  ///< for `all`
};

struct MergeReport {
  std::size_t merged = 0;            ///< interactions that came into the cassette
  std::size_t dropped = 0;           ///< because the session ended with an error
  std::size_t kept = 0;              ///< left in the journal: of living sessions
  std::size_t of_session = 0;        ///< records of the session that is ended which the journal had
  std::uint64_t damaged_bytes = 0;   ///< of the journal that were not a whole record
  std::vector<std::string> new_ids;  ///< of a directory cassette: the files that were written
};

/// Merges what may be merged. No journal: does nothing. `session`: the one that is ended by the
/// caller; all others are asked for in `runtime_dir` (session.h). On an error both files are as
/// they were.
Result<MergeReport> merge_journal(const std::string& path, const std::string& runtime_dir,
                                  const std::optional<EndedSession>& session);

/// For readers (`list`, `show`, `report-unused`): cassette and journal as one, as if every session
/// had died now. Changes nothing. Neither of both there: the error of load_cassette().
Result<Cassette> load_with_journal(const std::string& path);

}  // namespace cassette
