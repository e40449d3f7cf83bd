#include "store/player/diagnosis.h"

#include <algorithm>

#include "store/formats/text.h"
#include "store/match/digests.h"
#include "store/match/failed_place.h"
#include "store/uri.h"

namespace cassette {

namespace {

constexpr std::size_t kLooksAt = 20000;  ///< interactions, roughly
constexpr std::size_t kCompares = 16;    ///< of them, in every field
constexpr std::size_t kShownFields = 8;
constexpr std::size_t kShownValue = 160;

/// One line of printable text: what comes from a program or a cassette may hold anything.
std::string shown(std::string_view text, std::size_t limit = kShownValue) {
  std::string result;
  for (char c : text) {
    if (result.size() >= limit) return result + "...";
    bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    result.push_back(control ? ' ' : c);
  }
  return result;
}

/// A recorded request as the matcher sees it; `headers` holds its fields.
RequestView recorded_view(const Image& image, std::uint32_t interaction, Headers& headers) {
  RequestView view;
  view.method = image.method(interaction);
  if (auto uri = parse_uri(image.uri(interaction))) {
    view.uri = *uri;
  } else {
    view.uri.path = image.uri(interaction);
  }
  image.request_headers(interaction, headers);
  view.headers = &headers;
  view.body = image.request_body(interaction);
  return view;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end.first - a.begin());
}

/// How alike two requests look at a glance; higher is closer.
std::size_t likeness(const RequestView& a, const RequestView& b) {
  bool same_host = equals_ignoring_case(a.uri.host, b.uri.host) ||
                   (is_localhost(a.uri.host) && is_localhost(b.uri.host));
  std::size_t score = (same_host ? 4000 : 0) + (a.method == b.method ? 2000 : 0) +
                      (a.uri.port == b.uri.port ? 1000 : 0);
  if (a.uri.path == b.uri.path) return score + 8000 + (a.uri.query == b.uri.query ? 1000 : 0);
  return score + std::min<std::size_t>(common_prefix(a.uri.path, b.uri.path), 900);
}

/// The fields because of which a 206, 304, ... does not answer a request.
void add_conditions(const Headers& recorded, const Headers& asked,
                    std::vector<Difference>& differences) {
  constexpr std::string_view kFields[] = {"range", "if-none-match", "if-modified-since", "if-match",
                                          "if-unmodified-since"};
  for (std::string_view name : kFields) {
    const std::string was(recorded.find(name).value_or("(none)"));
    const std::string is(asked.find(name).value_or("(none)"));
    if (was != is) differences.push_back({"header:" + std::string(name), was, is});
  }
}

std::string describe(const Closest& closest, std::string_view separator) {
  std::string text;
  std::size_t count = 0;
  for (const Difference& difference : closest.differences) {
    if (!text.empty()) text.append(separator);
    if (count++ == kShownFields) return text + "...";
    text += difference.field + ": recorded \"" + shown(difference.recorded) + "\", asked for \"" +
            shown(difference.actual) + "\"";
  }
  if (text.empty()) text = "it matches, and has been played";
  return text;
}

std::string reason_text(const Miss& miss) {
  std::string text(name_of(miss.reason));
  if (!miss.detail.empty()) text += ": " + shown(miss.detail, 1000);
  return text;
}

}  // namespace

std::string_view name_of(MissReason reason) {
  switch (reason) {
    case MissReason::kNone:
      return "none";
    case MissReason::kNoCassette:
      return "no cassette";
    case MissReason::kNoSuchRequest:
      return "no such request";
    case MissReason::kUsedUp:
      return "used up";
    case MissReason::kOutOfSequence:
      return "out of sequence";
    case MissReason::kSessionEnded:
      return "session ended";
    case MissReason::kUnusable:
      return "unusable cassette";
    case MissReason::kBadRequest:
      return "bad request";
    case MissReason::kUnsupported:
      return "unsupported";
  }
  return "unknown";
}

Closest compare(const Image& image, const Matcher& matcher, std::uint32_t interaction,
                const RequestView& request) {
  Headers headers;
  RequestView recorded = recorded_view(image, interaction, headers);
  Closest closest{interaction, matcher.differences(recorded, request)};
  if (request.headers == nullptr) return closest;
  if (!image.answers_conditions(interaction, *request.headers)) {
    add_conditions(headers, *request.headers, closest.differences);
  }
  const std::uint32_t identity = image.identity(interaction);
  const FoldedDigests asked =
      identity == 0
          ? FoldedDigests()
          : folded_digests_of(matcher.redactor(), image.digest_key(), matcher.match_on(), request);
  if (asked.identity != 0 && asked.identity != identity) {
    closest.differences.push_back({"a redacted value", std::string(kRedacted), "another one"});
  }
  return closest;
}

std::optional<Closest> find_closest(const Image& image, const Cursors& cursors,
                                    const Matcher& matcher, const RequestView& request) {
  struct Candidate {
    std::size_t likeness;
    bool unplayed;
    std::uint32_t interaction;
  };
  auto better = [](const Candidate& a, const Candidate& b) {
    if (a.likeness != b.likeness) return a.likeness > b.likeness;
    if (a.unplayed != b.unplayed) return a.unplayed;
    return a.interaction < b.interaction;
  };
  std::vector<Candidate> candidates;
  std::size_t step = image.size() / kLooksAt + 1;
  Headers headers;
  for (std::size_t i = 0; i < image.size(); i += step) {
    auto interaction = static_cast<std::uint32_t>(i);
    RequestView recorded = recorded_view(image, interaction, headers);
    if (is_failed_place(recorded.uri.scheme)) continue;  // no request is like that
    candidates.push_back(
        {likeness(recorded, request), !cursors.used_up(image, interaction), interaction});
  }
  std::size_t count = std::min(candidates.size(), kCompares);
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count),
                    candidates.end(), better);
  std::optional<Closest> best;
  for (std::size_t i = 0; i < count; ++i) {
    Closest closest = compare(image, matcher, candidates[i].interaction, request);
    if (!best || closest.differences.size() < best->differences.size()) best = std::move(closest);
  }
  return best;
}

std::string miss_line(const Miss& miss) {
  std::string line = "miss: " + shown(miss.method) + " " + shown(miss.uri, 500) + ": " +
                     reason_text(miss) + " (" + shown(miss.cassette, 500) + ", mode " +
                     std::string(name_of(miss.mode)) + ")";
  if (miss.closest) {
    line += std::string(miss.expected ? "; expected " : "; closest: ") +
            shown(miss.closest_name, 500) + ": " + describe(*miss.closest, "; ");
  }
  return line;
}

std::string miss_response(const Miss& miss, bool close_after) {
  std::string body = "This request was not answered by cassette.\n\n";
  body += "cassette: " + shown(miss.cassette, 2000) + "\n";
  body += "mode:     " + std::string(name_of(miss.mode)) + "\n";
  body += "request:  " + shown(miss.method) + " " + shown(miss.uri, 2000) + "\n";
  body += "reason:   " + reason_text(miss) + "\n";
  if (miss.closest) {
    body += (miss.expected ? "expected: " : "closest:  ") + shown(miss.closest_name, 2000) +
            "\n          " + describe(*miss.closest, "\n          ") + "\n";
  }
  // A header field's value: ASCII, one line.
  std::string reason = reason_text(miss);
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  if (!is_utf8(body)) {
    for (char& c : body) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  std::string response = "HTTP/1.1 599 Cassette Miss\r\nX-Cassette-Miss: " + reason +
                         "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n";
  if (close_after) response += "Connection: close\r\n";
  return response + "\r\n" + body;
}

std::string relayed_line(std::string_view place, std::string_view what) {
  return shown(place, 500) + ": " + std::string(what) + ": relayed, not recorded";
}

std::string refused_line(std::string_view place, std::string_view what) {
  return shown(place, 500) + ": connection refused: " + std::string(what) +
         " (ignore-hosts lets a host through)";
}

}  // namespace cassette
