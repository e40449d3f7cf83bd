// Decides whether a recorded request and an incoming one are the same, by the settings' match_on,
// the way vcrpy's matchers mean it. Pure computation; thread-safe (const after construction).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parser/headers.h"
#include "store/redaction/redaction.h"
#include "store/settings/settings.h"
#include "store/uri.h"

namespace cassette {

/// A request as the matchers see it: views, nothing owned.
struct RequestView {
  std::string_view method;
  UriView uri;
  const Headers* headers = nullptr;
  std::string_view body;
};

/// A recorded request as one that is asked. Views into the interaction. What is no URI cannot be asked
/// for: it matches nothing.
RequestView view_of(const Interaction& interaction);

/// 128 bits over everything in match_on but `headers`: equal keys are equal requests (a collision
/// among a million interactions has a chance of 1e-27).
struct MatchKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const MatchKey&) const = default;
};

/// One field in which two requests differ, for a miss's diagnosis. Values are redacted.
struct Difference {
  std::string field;  ///< "method", "path", "query", "header:accept", ...
  std::string recorded;
  std::string actual;
};

class Matcher {
 public:
  Matcher(MatchOn match_on, Redactor redactor);

  /// Allocates nothing with the default match_on and up to 64 query parameters. Both sides are
  /// redacted alike before they are compared. `query`: parameters in any order,
  /// but for those of one name. `localhost` stands for
  /// localhost, 127.0.0.1, 0.0.0.0, ::1. `body`: JSON structurally, form fields sorted, multipart
  /// with its boundary normalised, else bytes.
  MatchKey key(const RequestView& request) const;

  /// `headers` in match_on: true when every recorded field is in the incoming request with the same
  /// values. Always true without it.
  bool headers_match(const Headers& recorded, const Headers& incoming) const;
  bool compares_headers() const { return match_on_.headers; }
  bool needs_body() const { return match_on_.body; }
  /// As the version before redacted.
  Matcher as_before() const { return {match_on_, redactor_.as_before()}; }
  const MatchOn& match_on() const { return match_on_; }
  const Redactor& redactor() const { return redactor_; }

  /// In the order of match_on; empty when they match.
  std::vector<Difference> differences(const RequestView& recorded,
                                      const RequestView& incoming) const;

 private:
  MatchOn match_on_;
  Redactor redactor_;
};

}  // namespace cassette
