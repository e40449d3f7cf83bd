// Sessions as text and as JSON. See state_output.h.
#include "cli/session/state_output.h"

#include <algorithm>
#include <optional>

#include "cli/paths.h"
#include "cli/session/common.h"
#include "cli/text.h"
#include "store/formats/text.h"

namespace cassette {
namespace {

using Kind = SessionIdentity::Kind;

/// Ids are names that people choose; a cell of this width leaves the others on the screen.
constexpr std::size_t kWidestColumn = 40;
constexpr std::int64_t kSecond = 1'000'000;

/// "expires in 42 s", "never expires", or nothing to tell.
std::string expiry_text(const SessionState& session, std::int64_t now) {
  if (session.kind != Kind::kNamed) return "-";
  if (session.time_to_live.count() == 0) return "never expires";
  const std::optional<std::int64_t> end = expires_at(session);
  if (!end) return "-";
  // Rounded up: with 0 s left it has expired.
  const std::int64_t left = std::max<std::int64_t>(*end - now, 0);
  return "expires in " + std::to_string((left + kSecond - 1) / kSecond) + " s";
}

std::string next_text(const CassetteState& cassette) {
  const std::uint64_t size = cassette.counts.interactions;
  if (size == 0) return "nothing to play";
  if (cassette.index >= size) return "all played";
  return "#" + std::to_string(cassette.index + std::uint64_t{1}) + " of " + std::to_string(size);
}

std::string cassette_as_text(const CassetteState& cassette, const std::string& working_directory) {
  const CassetteCounts& counts = cassette.counts;
  std::string text =
      "cassette: " + on_one_line(shortest_path(counts.path, working_directory)) + "\n";
  auto line = [&text](const char* key, const std::string& value) {
    text.append("  ").append(key).append(": ").append(value).append("\n");
  };
  line("next", next_text(cassette));
  line("replayed", std::to_string(counts.replayed));
  line("recorded", std::to_string(counts.recorded));
  line("missed", std::to_string(counts.missed));
  line("unused", std::to_string(counts.unused));
  auto line_if_any = [&line](const char* key, std::uint64_t count) {
    if (count > 0) line(key, std::to_string(count));
  };
  line_if_any("could not be recorded", counts.record_failures);
  line_if_any("relayed", counts.relayed);
  line_if_any("refused", counts.refused);
  line_if_any("values redacted in responses", counts.redacted);
  return text;
}

void time_member(JsonOutput& out, const char* name, std::int64_t microseconds) {
  out.member_or_null(name, format_rfc3339(microseconds).value_or(""));
}

void append_cassette(JsonOutput& out, const CassetteState& cassette) {
  const CassetteCounts& counts = cassette.counts;
  out.begin_object();
  out.member("cassette", counts.path);
  out.member("interactions", counts.interactions);
  out.key("next");
  if (cassette.index >= counts.interactions) {
    out.null();
  } else {
    // As `cassette list --json` names an interaction; ids are there only for a single session.
    out.begin_object();
    out.member("index", cassette.index + std::uint64_t{1});
    if (cassette.index < cassette.ids.size()) out.member("id", cassette.ids[cassette.index]);
    out.end_object();
  }
  out.member("replayed", counts.replayed);
  out.member("recorded", counts.recorded);
  out.member("missed", counts.missed);
  out.member("record_failures", counts.record_failures);
  out.member("relayed", counts.relayed);
  out.member("refused", counts.refused);
  out.member("redacted", counts.redacted);
  out.member("unused", counts.unused);
  out.end_object();
}

void append_session(JsonOutput& out, const SessionState& session) {
  out.begin_object();
  out.member("id", session.id);
  out.member("kind", name_of(session.kind));
  out.key("in_use");
  out.boolean(session.in_use);
  time_member(out, "created", session.created);
  time_member(out, "last_used", session.last_used);
  out.key("ttl_milliseconds");
  session.kind == Kind::kNamed
      ? out.number(static_cast<std::uint64_t>(session.time_to_live.count()))
      : out.null();
  const std::optional<std::int64_t> end = expires_at(session);
  out.member_or_null("expires", end ? format_rfc3339(*end).value_or("") : "");
  out.key("cassettes");
  out.begin_array();
  for (const CassetteState& cassette : session.cassettes) append_cassette(out, cassette);
  out.end_array();
  out.end_object();
}

}  // namespace

std::string name_of(SessionIdentity::Kind kind) {
  switch (kind) {
    case Kind::kTree:
      return "tree";
    case Kind::kNamed:
      return "named";
    case Kind::kProcess:
      return "process";
  }
  return "unknown";
}

std::string time_text(std::int64_t microseconds) {
  return format_rfc3339(microseconds).value_or("-");
}

std::optional<std::int64_t> expires_at(const SessionState& session) {
  if (session.kind != Kind::kNamed || session.in_use || session.time_to_live.count() == 0)
    return std::nullopt;
  return session.last_used + std::chrono::microseconds(session.time_to_live).count();
}

std::string sessions_as_lines(const std::vector<SessionState>& sessions, std::int64_t now) {
  std::vector<std::vector<std::string>> rows;
  rows.reserve(sessions.size());
  for (const SessionState& session : sessions) {
    rows.push_back({on_one_line(session.id), name_of(session.kind),
                    session.in_use ? "in use" : "idle", time_text(session.created),
                    expiry_text(session, now), counted(session.cassettes.size(), "cassette")});
  }
  return columns(rows, std::vector<bool>(6, false), kWidestColumn);
}

std::string sessions_as_json(const std::vector<SessionState>& sessions) {
  JsonOutput out;
  out.begin_array();
  for (const SessionState& session : sessions) append_session(out, session);
  out.end_array();
  return out.text();
}

std::string session_as_text(const SessionState& session, std::int64_t now,
                            const std::string& working_directory) {
  std::string text = "id: " + on_one_line(session.id) + "\nkind: " + name_of(session.kind) +
                     "\nstate: " + (session.in_use ? "in use" : "idle") +
                     "\ncreated: " + time_text(session.created) +
                     "\nlast used: " + time_text(session.last_used) +
                     "\nexpiry: " + expiry_text(session, now) +
                     "\ncassettes: " + std::to_string(session.cassettes.size()) + "\n";
  for (const CassetteState& cassette : session.cassettes)
    text += cassette_as_text(cassette, working_directory);
  return text;
}

std::string session_as_json(const SessionState& session) {
  JsonOutput out;
  append_session(out, session);
  return out.text();
}

}  // namespace cassette
