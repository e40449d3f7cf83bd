// The summary of a run. See summary.h.
#include "cli/summary.h"

#include <algorithm>

namespace cassette {

std::vector<CassetteCounts> counts_since(const std::vector<CassetteCounts>& before,
                                         const std::vector<CassetteCounts>& now) {
  std::vector<CassetteCounts> since = now;
  for (CassetteCounts& counts : since) {
    auto old = std::find_if(before.begin(), before.end(), [&counts](const CassetteCounts& row) {
      return row.path == counts.path;
    });
    if (old == before.end()) continue;
    auto subtract = [](std::uint64_t& value, std::uint64_t less) {
      value -= std::min(value, less);
    };
    subtract(counts.replayed, old->replayed);
    subtract(counts.recorded, old->recorded);
    subtract(counts.missed, old->missed);
    subtract(counts.record_failures, old->record_failures);
    subtract(counts.relayed, old->relayed);
    subtract(counts.refused, old->refused);
    subtract(counts.redacted, old->redacted);
  }
  return since;
}

std::string summary_line(const CassetteCounts& counts, const std::string& shown) {
  std::string line = shown + ": " + std::to_string(counts.replayed) + " replayed, " +
                     std::to_string(counts.recorded) + " recorded, " +
                     std::to_string(counts.missed) + " missed, " + std::to_string(counts.unused) +
                     " unused";
  auto add = [&line](std::uint64_t count, const char* one, const char* more) {
    if (count > 0) line += ", " + std::to_string(count) + (count == 1 ? one : more);
  };
  add(counts.record_failures, " could not be recorded", " could not be recorded");
  add(counts.relayed, " relayed", " relayed");
  add(counts.refused, " refused", " refused");
  add(counts.redacted, " value redacted in responses", " values redacted in responses");
  return line;
}

std::vector<std::string> not_recorded_lines(
    const std::vector<NotRecorded>& notes,
    const std::function<std::string(const std::string& path)>& shown) {
  struct Reason {
    const NotRecorded* first;
    std::size_t count;
  };
  std::vector<Reason> reasons;
  for (const NotRecorded& note : notes) {
    auto same = std::find_if(reasons.begin(), reasons.end(), [&note](const Reason& reason) {
      return reason.first->cassette == note.cassette && reason.first->why == note.why;
    });
    if (same == reasons.end()) {
      reasons.push_back({&note, 1});
    } else {
      ++same->count;
    }
  }
  std::vector<std::string> lines;
  for (const Reason& reason : reasons) {
    std::string line = shown(reason.first->cassette) + ": not recorded: " + reason.first->what;
    if (reason.count > 1) line += " and " + std::to_string(reason.count - 1) + " more";
    lines.push_back(line + ": " + reason.first->why);
  }
  return lines;
}

int run_status(int program_status, const std::vector<CassetteCounts>& counts, bool fail_on_unused,
               bool complete) {
  if (program_status != 0) return program_status;
  auto any = [&counts](std::uint64_t CassetteCounts::*count) {
    return std::any_of(counts.begin(), counts.end(),
                       [count](const CassetteCounts& row) { return row.*count > 0; });
  };
  if (!complete || any(&CassetteCounts::record_failures)) return kRunFailed;
  if (any(&CassetteCounts::missed)) return kMissed;
  if (fail_on_unused && any(&CassetteCounts::unused)) return kUnusedLeft;
  return kOk;
}

}  // namespace cassette
