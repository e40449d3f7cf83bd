// Says in which fields two requests differ, for the diagnosis of a miss. Values are redacted, and
// cut where they are long. Not fast, and need not be.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/match/match.h"
#include "store/match/match_parts.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

constexpr std::size_t kShown = 200;
constexpr std::string_view kNone = "(none)";

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// `length` bytes of the text from `from` on, and no half characters.
std::string excerpt(std::string_view text, std::size_t from, std::size_t length) {
  from = std::min(from, text.size());
  while (from > 0 && from < text.size() && is_continuation(text[from])) --from;
  std::size_t end = std::min(from + length, text.size());
  while (end < text.size() && end > from && is_continuation(text[end])) --end;
  return (from > 0 ? "..." : "") + std::string(text.substr(from, end - from)) +
         (end < text.size() ? "..." : "");
}

std::string shown(std::string_view text) {
  return text.empty() ? std::string(kNone) : excerpt(text, 0, kShown);
}

/// As the key sees a parameter, and as it is written.
using Parameters = std::multimap<std::pair<std::string, std::string>, std::string>;

Parameters parameters_of(const Redactor& redactor, std::string_view query) {
  Parameters result;
  Parameter parameter;
  while (next_parameter(query, parameter)) {
    const bool hidden = parameter.has_value && redactor.hides_query(parameter);
    const std::string_view value = hidden ? kRedacted : parameter.value;
    std::string written(parameter.name);
    if (parameter.has_value) written.append("=").append(value);
    result.emplace(std::pair(percent_decoded(parameter.name), percent_decoded(value)),
                   std::move(written));
  }
  return result;
}

/// Those of `a` that `b` does not have, written as a query.
std::string only_in(const Parameters& a, const Parameters& b) {
  std::string result;
  for (auto it = a.begin(); it != a.end();) {
    const auto same = a.equal_range(it->first);
    auto surplus =
        std::distance(same.first, same.second) - static_cast<std::ptrdiff_t>(b.count(it->first));
    for (it = same.first; it != same.second; ++it) {
      if (surplus-- <= 0) continue;
      if (!result.empty()) result += '&';
      result += it->second;
    }
  }
  return result;
}

bool is_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

std::string body_excerpt(std::string_view body, std::size_t difference) {
  if (body.empty()) return std::string(kNone);
  if (!is_text(body)) {
    return std::to_string(body.size()) + " bytes, different from byte " +
           std::to_string(difference) + " on";
  }
  return excerpt(body, difference < 40 ? 0 : difference - 40, kShown);
}

std::string header_values(const Redactor& redactor, const Headers* headers, std::string_view name) {
  const std::optional<std::string> all =
      headers != nullptr ? comparable_header(redactor, *headers, name) : std::nullopt;
  return all ? excerpt(*all, 0, kShown) : std::string(kNone);
}

/// A request with nothing in it but one part: two of them have the same key if that part matches.
MatchOn only() {
  MatchOn on;
  on.method = on.scheme = on.host = on.port = on.path = on.query = false;
  return on;
}

}  // namespace

std::vector<Difference> Matcher::differences(const RequestView& recorded,
                                             const RequestView& incoming) const {
  std::vector<Difference> result;
  // Whether a part differs is asked of key() itself, so that a diagnosis never contradicts a
  // decision.
  auto compare = [&](bool wanted, bool MatchOn::*part, auto text) {
    if (!wanted) return;
    MatchOn on = only();
    on.*part = true;
    const Matcher matcher(on, redactor_);
    if (matcher.key(recorded) == matcher.key(incoming)) return;
    Difference difference;
    text(difference);
    result.push_back(std::move(difference));
  };
  const UriView& r = recorded.uri;
  const UriView& i = incoming.uri;
  compare(match_on_.method, &MatchOn::method, [&](Difference& d) {
    d = {"method", shown(recorded.method), shown(incoming.method)};
  });
  compare(match_on_.scheme, &MatchOn::scheme, [&](Difference& d) {
    d = {"scheme", shown(r.scheme), shown(i.scheme)};
  });
  compare(match_on_.host, &MatchOn::host, [&](Difference& d) {
    d = {"host", shown(r.host), shown(i.host)};
  });
  compare(match_on_.port, &MatchOn::port, [&](Difference& d) {
    d = {"port", std::to_string(r.port), std::to_string(i.port)};
  });
  compare(match_on_.path, &MatchOn::path, [&](Difference& d) {
    d = {"path", shown(r.path), shown(i.path)};
  });
  compare(match_on_.query, &MatchOn::query, [&](Difference& d) {
    const Parameters a = parameters_of(redactor_, r.query);
    const Parameters b = parameters_of(redactor_, i.query);
    d = {"query", only_in(a, b), only_in(b, a)};
    if (d.recorded.empty() && d.actual.empty()) {  // the same ones, in another order
      d.recorded = redactor_.redact_uri("?" + std::string(r.query)).substr(1);
      d.actual = redactor_.redact_uri("?" + std::string(i.query)).substr(1);
    }
    d.recorded = shown(d.recorded);
    d.actual = shown(d.actual);
  });
  compare(match_on_.uri, &MatchOn::uri, [&](Difference& d) {
    d = {"uri", shown(redactor_.redact_uri(format_uri(r))),
         shown(redactor_.redact_uri(format_uri(i)))};
  });
  compare(match_on_.body, &MatchOn::body, [&](Difference& d) {
    const std::string a = comparable_body(&redactor_, recorded);
    const std::string b = comparable_body(&redactor_, incoming);
    const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
    d = {"body", body_excerpt(a, static_cast<std::size_t>(at)),
         body_excerpt(b, static_cast<std::size_t>(at))};
  });

  auto add_header = [&](std::string_view name) {
    const std::string field = "header:" + lowered(name);
    for (const Difference& earlier : result) {
      if (earlier.field == field) return;
    }
    result.push_back({field, header_values(redactor_, recorded.headers, name),
                      header_values(redactor_, incoming.headers, name)});
  };
  if (match_on_.headers && recorded.headers != nullptr && incoming.headers != nullptr) {
    for (const Headers::Field field : *recorded.headers) {
      if (!same_header(redactor_, *recorded.headers, *incoming.headers, field.name))
        add_header(field.name);
    }
  }
  for (const std::string& name : match_on_.header_names) {
    MatchOn on = only();
    on.header_names = {name};
    const Matcher matcher(on, redactor_);
    if (!(matcher.key(recorded) == matcher.key(incoming))) add_header(name);
  }
  return result;
}

}  // namespace cassette
