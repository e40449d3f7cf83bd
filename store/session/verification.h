// Was it called, and how often? Counts the requests of a session's history that meet some criteria.
// Pure functions: reads no file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "parser/result.h"
#include "store/session/history.h"

namespace cassette {

/// All that are given must hold. What asks for more of an entry's uri than the history knows does not
/// hold: of one that is not a uri, or of what may have been cut off one of HistoryEntry::kMaxUri bytes.
struct Criteria {
  std::optional<std::string> method;  ///< compared without case
  /// `host`, `host:port`, `*.domain`; `localhost` stands for all loopback names (settings.h).
  std::optional<std::string> host;
  /// The whole path, without the query; `*` stands for any run of characters.
  std::optional<std::string> path;
  std::optional<std::uint32_t> interaction;  ///< index, from 0; then only what replayed it counts
  std::optional<std::uint64_t> cassette;     ///< HistoryEntry::cassette; with `interaction`
};

/// What is allowed.
struct ExpectedCount {
  std::uint64_t least = 0;
  std::uint64_t most = UINT64_MAX;
};

std::uint64_t count_matching(const History::Contents& history, const Criteria& criteria);

enum class Verdict { kHolds, kFails, kUnknown };
/// kUnknown: so much was dropped from the history that it cannot be told.
Verdict verify(std::uint64_t counted, std::uint64_t dropped, const ExpectedCount& expected);

}  // namespace cassette
