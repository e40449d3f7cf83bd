// What `verify` says. See verify_answer.h.
#include "cli/session/verify_answer.h"

#include <algorithm>
#include <utility>

#include "cli/json.h"
#include "cli/session/history_output.h"
#include "cli/text.h"

namespace cassette {
namespace {

/// The criteria one by one, so that it can be told how many of them hold.
std::vector<Criteria> each_alone(const Criteria& all) {
  std::vector<Criteria> each;
  if (all.method) each.emplace_back().method = all.method;
  if (all.host) each.emplace_back().host = all.host;
  if (all.path) each.emplace_back().path = all.path;
  if (all.interaction || all.cassette) {
    // Together: an index means nothing without its cassette.
    each.emplace_back().interaction = all.interaction;
    each.back().cassette = all.cassette;
  }
  return each;
}

/// "3 requests match method GET, path /json"
std::string counted_text(std::uint64_t count, const VerifyRequest& request) {
  const std::string criteria = criteria_text(request);
  if (criteria.empty()) return counted(count, "request") + " in all";
  return counted(count, "request") + (count == 1 ? " matches " : " match ") + criteria;
}

std::string indented(const std::string& lines) {
  std::string text;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    text += "\n  " + lines.substr(begin, end - begin);
    begin = end + 1;
  }
  return text;
}

std::string complaint_of(Verdict verdict, std::uint64_t count, const VerifyRequest& request,
                         const History::Contents& history) {
  std::string text = "session " + on_one_line(request.id) + ": " + counted_text(count, request) +
                     "; expected " + expected_text(request.expected);
  if (verdict == Verdict::kUnknown) {
    text += ", which cannot be told: " + dropped_text(history.dropped) + " from the history";
  }
  return text;
}

std::string as_json(Verdict verdict, std::uint64_t count, const VerifyRequest& request,
                    const History::Contents& history, const std::vector<HistoryEntry>& closest,
                    const SessionState& session) {
  JsonOutput out;
  out.begin_object();
  out.member("id", request.id);
  out.key("holds");
  verdict == Verdict::kUnknown ? out.null() : out.boolean(verdict == Verdict::kHolds);
  out.member("count", count);
  out.member("min", request.expected.least);
  out.key("max");
  request.expected.most == ExpectedCount().most ? out.null() : out.number(request.expected.most);
  out.member("dropped", history.dropped);
  out.key("closest");
  append_requests(out, closest, session);
  out.end_object();
  return out.text();
}

}  // namespace

std::vector<HistoryEntry> closest_requests(const History::Contents& history,
                                           const Criteria& criteria) {
  const std::vector<Criteria> each = each_alone(criteria);
  std::vector<std::pair<std::uint64_t, const HistoryEntry*>> ranked;
  ranked.reserve(history.entries.size());
  History::Contents one;
  one.entries.resize(1);
  for (const HistoryEntry& request : history.entries) {
    one.entries.front() = request;
    std::uint64_t held = 0;
    for (const Criteria& criterion : each) held += count_matching(one, criterion);
    ranked.emplace_back(held, &request);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (ranked.size() > kShownRequests) ranked.resize(kShownRequests);
  std::vector<HistoryEntry> closest;
  closest.reserve(ranked.size());
  for (const auto& [held, request] : ranked) closest.push_back(*request);
  return closest;
}

Answer verify_answer(const VerifyRequest& request, const Criteria& criteria,
                     const History::Contents& history, const SessionState& session,
                     const std::string& working_directory) {
  const std::uint64_t count = count_matching(history, criteria);
  const Verdict verdict = verify(count, history.dropped, request.expected);
  Answer answer;
  std::vector<HistoryEntry> closest;
  if (verdict == Verdict::kHolds) {
    answer.output =
        "session " + on_one_line(request.id) + ": " + counted_text(count, request) + "\n";
  } else {
    answer.status = verdict == Verdict::kFails ? kDoesNotHold : kFailed;
    answer.complaint = complaint_of(verdict, count, request, history);
    closest = closest_requests(history, criteria);
    if (closest.empty()) {
      answer.complaint += "\ncassette: there is no request in its history";
    } else {
      answer.complaint += "\ncassette: " + std::to_string(closest.size()) + " of its " +
                          counted(history.entries.size(), "request") + ", the closest first:";
    }
    answer.complaint += indented(requests_as_lines(closest, session, working_directory));
  }
  if (request.json) answer.output = as_json(verdict, count, request, history, closest, session);
  return answer;
}

}  // namespace cassette
