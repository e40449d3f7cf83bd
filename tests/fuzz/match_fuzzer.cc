// Match keys of arbitrary requests: nothing may crash, a request matches itself, and it matches what a
// recording makes of it, which is redacted. The lines are the method, the URI, the Content-Type and
// the Content-Encoding; the rest is the body.
#include "store/match/match.h"

#include "store/match/canonical_body.h"
#include "tests/fuzz/input.h"

using cassette::fuzzing::must;
using cassette::fuzzing::take_until;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cassette::Redactor redactor(cassette::default_filter_headers(),
                                           cassette::default_filter_query(),
                                           cassette::default_filter_body());
  static const cassette::Matcher matcher = [] {
    cassette::MatchOn match_on;
    match_on.uri = match_on.body = match_on.headers = true;
    match_on.header_names = {"content-type"};
    return cassette::Matcher(match_on, redactor);
  }();
  std::string_view rest = cassette::fuzzing::text_of(data, size);
  cassette::Interaction recorded;
  recorded.request.method = take_until(rest, '\n');
  recorded.uri = take_until(rest, '\n');
  const std::string_view type = take_until(rest, '\n');
  const std::string_view coding = take_until(rest, '\n');
  recorded.request.headers.add("Content-Type", type);
  if (!coding.empty()) recorded.request.headers.add("Content-Encoding", coding);
  recorded.request.body = rest;

  cassette::canonical_body(type, rest);
  const cassette::RequestView asked = cassette::view_of(recorded);
  const cassette::MatchKey key = matcher.key(asked);
  must(matcher.differences(asked, asked).empty(), "a request does not differ from itself");
  cassette::Interaction redacted = recorded;
  redactor.redact(redacted);
  if (cassette::parse_uri(recorded.uri)) {
    must(matcher.key(cassette::view_of(redacted)) == key, "the redacted request matches");
  }
  return 0;
}
