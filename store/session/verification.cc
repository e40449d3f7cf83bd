// Counts the requests of a history that meet criteria. See verification.h. Must not guess: where the
// history lacks what a criterion asks for, the entry does not meet it.
#include "store/session/verification.h"

#include <algorithm>
#include <string_view>

#include "store/settings/settings.h"
#include "store/uri.h"

namespace cassette {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

/// `*` stands for any run of characters; all else for itself.
bool matches(std::string_view text, std::string_view pattern) {
  std::size_t in_text = 0, in_pattern = 0;
  // Where to try again: behind the last `*`, with one character more for it. A `*` before that need
  // not be tried again, since the last one can take whatever an earlier one could.
  std::size_t star = std::string_view::npos, retry = 0;
  while (in_text < text.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      retry = in_text;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == text[in_text]) {
      ++in_pattern;
      ++in_text;
    } else if (star != std::string_view::npos) {
      in_pattern = star + 1;
      in_text = ++retry;
    } else {
      return false;
    }
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '*') ++in_pattern;
  return in_pattern == pattern.size();
}

/// What of a uri is known to be whole.
struct KnownUri {
  bool host = false;  ///< with its port; then the path has at least begun
  bool path = false;
};

/// A uri of the greatest length that is kept may have been cut: it can be longer than it looks, and
/// what is the end of it here need not be.
KnownUri what_is_known(std::string_view text) {
  if (text.size() < HistoryEntry::kMaxUri) return {true, true};
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::size_t host_end = text.find_first_of("/?#", scheme + 3);
  if (host_end == std::string_view::npos) return {};
  return {true, text.find_first_of("?#", host_end) != std::string_view::npos};
}

class Filter {
 public:
  explicit Filter(const Criteria& criteria) : criteria_(criteria) {
    if (criteria.host) host_.add(parse_host_pattern(*criteria.host));
  }

  bool accepts(const HistoryEntry& entry) const {
    if (criteria_.method && !equal_without_case(entry.method, *criteria_.method)) return false;
    if (criteria_.cassette && entry.cassette != *criteria_.cassette) return false;
    if (criteria_.interaction && (entry.outcome != HistoryOutcome::kReplayed ||
                                  entry.interaction != *criteria_.interaction)) {
      return false;
    }
    return (!criteria_.host && !criteria_.path) || accepts_uri(entry.uri);
  }

 private:
  bool accepts_uri(std::string_view text) const {
    const KnownUri known = what_is_known(text);
    if (!known.host) return false;
    auto uri = parse_uri(text);
    if (!uri) return false;
    if (criteria_.host && !host_.contains(uri->host, uri->port)) return false;
    return !criteria_.path || accepts_path(uri->path, known.path);
  }

  bool accepts_path(std::string_view path, bool whole) const {
    const std::string_view pattern = *criteria_.path;
    // Whatever was cut, a `*` at the end stands for that too.
    if (!whole && !pattern.ends_with('*')) return false;
    return matches(path.empty() ? "/" : path, pattern);
  }

  const Criteria& criteria_;
  HostList host_;
};

}  // namespace

std::uint64_t count_matching(const History::Contents& history, const Criteria& criteria) {
  const Filter filter(criteria);
  return static_cast<std::uint64_t>(
      std::count_if(history.entries.begin(), history.entries.end(),
                    [&filter](const HistoryEntry& entry) { return filter.accepts(entry); }));
}

Verdict verify(std::uint64_t counted, std::uint64_t dropped, const ExpectedCount& expected) {
  // Those that were dropped could only be more.
  if (counted > expected.most) return Verdict::kFails;
  if (dropped == 0) return counted >= expected.least ? Verdict::kHolds : Verdict::kFails;
  const bool no_limit = expected.most == ExpectedCount{}.most;
  return counted >= expected.least && no_limit ? Verdict::kHolds : Verdict::kUnknown;
}

}  // namespace cassette
