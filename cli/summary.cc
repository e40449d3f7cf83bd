// The summary of a run. See summary.h.
#include "cli/summary.h"

#include <algorithm>

#include "cli/json.h"

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

std::string summary_json(const CassetteCounts& counts, const std::vector<NotRecorded>& notes) {
  JsonOutput out;
  out.begin_object();
  out.member("cassette", counts.path);
  out.member("replayed", counts.replayed);
  out.member("recorded", counts.recorded);
  out.member("missed", counts.missed);
  out.member("unused", counts.unused);
  out.member("record_failures", counts.record_failures);
  out.member("relayed", counts.relayed);
  out.member("refused", counts.refused);
  out.member("redacted", counts.redacted);
  out.key("not_recorded");
  out.begin_array();
  for (const NotRecorded& note : notes) {
    if (note.cassette != counts.path) continue;
    out.begin_object();
    out.member("what", note.what);
    out.member("why", note.why);
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return out.line();
}

Lost lost_by(const std::vector<LeftOut>& programs, bool records) {
  const bool any = std::any_of(programs.begin(), programs.end(), [](const LeftOut& each) {
    return each.kind != LeftOut::Kind::kNotEntered;
  });
  if (!any) return Lost::kNothing;
  return records ? Lost::kNotRecorded : Lost::kMissed;
}

int run_status(int program_status, const std::vector<CassetteCounts>& counts, FailOn fail_on,
               bool complete, Lost lost) {
  if (program_status != 0) return program_status;
  auto any = [&counts](std::uint64_t CassetteCounts::*count) {
    return std::any_of(counts.begin(), counts.end(),
                       [count](const CassetteCounts& row) { return row.*count > 0; });
  };
  if (!complete || any(&CassetteCounts::record_failures) || lost == Lost::kNotRecorded)
    return kRunFailed;
  if (any(&CassetteCounts::missed) || lost == Lost::kMissed) return kMissed;
  if (fail_on.passed && (any(&CassetteCounts::relayed) || any(&CassetteCounts::refused)))
    return kMissed;
  if (fail_on.unused && any(&CassetteCounts::unused)) return kUnusedLeft;
  return kOk;
}

}  // namespace cassette
