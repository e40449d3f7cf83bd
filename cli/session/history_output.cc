// Requests that a session handled. See history_output.h.
#include "cli/session/history_output.h"

#include <cstdio>

#include "cli/paths.h"
#include "cli/session/state_output.h"
#include "cli/text.h"
#include "store/formats/text.h"
#include "store/player/diagnosis.h"

namespace cassette {
namespace {

/// URIs may be very long; the columns behind them should stay on the screen.
constexpr std::size_t kWidestColumn = 72;

bool names_interaction(const HistoryEntry& request) {
  return request.outcome == HistoryOutcome::kReplayed &&
         request.interaction != HistoryEntry::kNoInteraction;
}

/// Why it was missed, or with what reservation it was replayed; or empty.
std::string_view reason_of(const HistoryEntry& request) {
  if (request.outcome == HistoryOutcome::kMissed)
    return name_of(static_cast<MissReason>(request.reason));
  const bool differs =
      request.outcome == HistoryOutcome::kReplayed && request.reason == kDiffersInSecret;
  return differs ? "a redacted value differs" : "";
}

/// nullptr: a request that no cassette was asked about, or one that the session does not know any more.
const CassetteState* cassette_of(const HistoryEntry& request, const SessionState& session) {
  for (const CassetteState& cassette : session.cassettes) {
    if (cassette.key == request.cassette) return &cassette;
  }
  return nullptr;
}

std::string what_happened(const HistoryEntry& request, const SessionState& session,
                          const std::string& working_directory) {
  std::string text(name_of(request.outcome));
  if (names_interaction(request)) text += " #" + std::to_string(request.interaction + 1ull);
  if (!reason_of(request).empty()) text.append(": ").append(reason_of(request));
  if (session.cassettes.size() < 2) return text;
  const CassetteState* cassette = cassette_of(request, session);
  if (cassette == nullptr) return text;
  return text + " (" + on_one_line(shortest_path(cassette->counts.path, working_directory)) + ")";
}

void append_request(JsonOutput& out, const HistoryEntry& request, const SessionState& session) {
  const CassetteState* cassette = cassette_of(request, session);
  out.begin_object();
  out.member_or_null("time", format_rfc3339(request.began).value_or(""));
  out.member("duration_nanoseconds", request.duration);
  out.member("pid", static_cast<std::uint64_t>(request.pid));
  out.member("tid", static_cast<std::uint64_t>(request.tid));
  out.member("program", request.program);
  out.member("method", request.method);
  out.member("uri", request.uri);
  out.key("status");
  request.status != 0 ? out.number(request.status) : out.null();
  out.member("outcome", name_of(request.outcome));
  out.member_or_null("reason", reason_of(request));
  out.member_or_null("cassette", cassette != nullptr ? cassette->counts.path : "");
  out.key("index");
  names_interaction(request) ? out.number(request.interaction + std::uint64_t{1}) : out.null();
  const bool has_id = names_interaction(request) && cassette != nullptr &&
                      request.interaction < cassette->ids.size();
  out.member_or_null("id", has_id ? cassette->ids[request.interaction] : "");
  out.end_object();
}

}  // namespace

std::string_view name_of(HistoryOutcome outcome) {
  switch (outcome) {
    case HistoryOutcome::kReplayed:
      return "replayed";
    case HistoryOutcome::kRecorded:
      return "recorded";
    case HistoryOutcome::kForwarded:
      return "forwarded";
    case HistoryOutcome::kMissed:
      return "missed";
  }
  return "unknown";
}

std::string requests_as_lines(const std::vector<HistoryEntry>& requests,
                              const SessionState& session, const std::string& working_directory) {
  std::vector<std::vector<std::string>> rows;
  rows.reserve(requests.size());
  for (const HistoryEntry& request : requests) {
    rows.push_back(
        {time_text(request.began), std::to_string(request.pid), std::to_string(request.tid),
         on_one_line(request.program), on_one_line(request.method), on_one_line(request.uri),
         request.status != 0 ? std::to_string(request.status) : "-",
         what_happened(request, session, working_directory), duration_text(request.duration)});
  }
  return columns(rows, {false, true, true, false, false, false, true, false, true}, kWidestColumn);
}

void append_requests(JsonOutput& out, const std::vector<HistoryEntry>& requests,
                     const SessionState& session) {
  out.begin_array();
  for (const HistoryEntry& request : requests) append_request(out, request, session);
  out.end_array();
}

std::string dropped_text(std::uint64_t dropped) {
  return counted(dropped, "older request") + (dropped == 1 ? " was" : " were") + " dropped";
}

Answer history_answer(const History::Contents& history, const SessionState& session,
                      const std::string& working_directory, bool json) {
  Answer answer;
  if (history.dropped > 0) answer.complaint = dropped_text(history.dropped);
  if (!json) {
    answer.output = requests_as_lines(history.entries, session, working_directory);
    return answer;
  }
  JsonOutput out;
  out.begin_object();
  out.member("dropped", history.dropped);
  out.key("requests");
  append_requests(out, history.entries, session);
  out.end_object();
  answer.output = out.text();
  return answer;
}

std::string duration_text(std::uint64_t nanoseconds) {
  constexpr std::uint64_t kMicrosecond = 1'000;
  constexpr std::uint64_t kMillisecond = 1'000'000;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  if (nanoseconds < kMillisecond) return std::to_string(nanoseconds / kMicrosecond) + " us";
  const bool short_one = nanoseconds < kSecond;
  char text[40];
  std::snprintf(
      text, sizeof text, short_one ? "%.1f ms" : "%.2f s",
      static_cast<double>(nanoseconds) / static_cast<double>(short_one ? kMillisecond : kSecond));
  return text;
}

}  // namespace cassette
