// URIs, request targets and lists of parameters out of arbitrary bytes: nothing may crash, a view lies
// inside of what it was taken from, and what was put together comes apart the same.
// The first line is the target, the second the Host header; the whole is a URI.
#include "store/uri.h"

#include "store/redaction/redaction.h"
#include "tests/fuzz/input.h"

using cassette::fuzzing::must;

namespace {

void check(const cassette::UriView& uri) {
  const std::string text = cassette::format_uri(uri);
  char small[16];
  must(cassette::format_uri(uri, small, sizeof small) == text.size(), "both lengths are the same");
  must(text.substr(0, sizeof small) == std::string(small, std::min(text.size(), sizeof small)),
       "the buffer holds the beginning");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = cassette::fuzzing::text_of(data, size);
  if (auto uri = cassette::parse_uri(text)) {
    must(!uri->host.empty() && !uri->scheme.empty(), "a URI has a scheme and a host");
    check(*uri);
    const std::string written = cassette::format_uri(*uri);
    auto again = cassette::parse_uri(written);
    must(again.ok(), "what was written can be read");
    must(cassette::format_uri(*again) == written, "what was read is written the same");
  }

  std::string_view rest = text;
  cassette::RequestMessage request;
  request.target = cassette::fuzzing::take_until(rest, '\n');
  const std::string_view host = cassette::fuzzing::take_until(rest, '\n');
  if (!host.empty()) request.headers.add("Host", host);
  for (const char* method : {"GET", "CONNECT"}) {
    request.method = method;
    check(cassette::request_uri(request, {"http", "localhost", 8080}));
  }

  static const cassette::Redactor redactor({}, cassette::default_filter_query(), {});
  const std::string redacted = redactor.redact_uri(text);
  must(redactor.redact_uri(redacted) == redacted, "nothing is left to be redacted");
  return 0;
}
