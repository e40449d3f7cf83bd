// The way in which bytes arrive must not matter: whole, in two pieces split anywhere, byte by byte.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/parser/corpus.h"
#include "tests/unit/parser/transcript.h"

namespace cassette::testing {
namespace {

using Pieces = std::vector<std::string_view>;

template <typename TranscriptOf>
void expect_the_same_however_split(std::string_view input, TranscriptOf transcript_of) {
  const std::string whole = transcript_of(Pieces{input});
  for (std::size_t at = 0; at <= input.size(); ++at) {
    ASSERT_EQ(whole, transcript_of(Pieces{input.substr(0, at), input.substr(at)}))
        << "split at " << at << " of:\n"
        << input;
  }
  Pieces bytes;
  Pieces bytes_and_nothing;
  for (std::size_t at = 0; at < input.size(); ++at) {
    bytes.push_back(input.substr(at, 1));
    bytes_and_nothing.insert(bytes_and_nothing.end(), {input.substr(at, 1), {}, ""});
  }
  ASSERT_EQ(whole, transcript_of(bytes)) << input;
  ASSERT_EQ(whole, transcript_of(bytes_and_nothing)) << input;
}

TEST(AnySplit, GivesTheSameRequests) {
  for (const std::string_view input : request_inputs()) {
    expect_the_same_however_split(input, [](const Pieces& p) { return request_transcript(p); });
  }
}

TEST(AnySplit, GivesTheSameResponses) {
  for (const ResponseInput& input : response_inputs()) {
    expect_the_same_however_split(input.bytes, [&](const Pieces& pieces) {
      return response_transcript(pieces, input.method);
    });
  }
}

TEST(AnySplit, GivesTheSameErrorForEveryLimit) {
  const std::string_view request = request_inputs()[2];
  for (std::size_t limit = 0; limit < 160; limit += 7) {
    expect_the_same_however_split(request, [&](const Pieces& pieces) {
      return request_transcript(pieces, {.head = limit, .body = 1 << 20});
    });
    expect_the_same_however_split(request, [&](const Pieces& pieces) {
      return request_transcript(pieces, {.head = 1 << 20, .body = limit});
    });
  }
}

TEST(AnySplit, ConsumesExactlyTheMessage) {
  // What is behind a message is not touched, so `consumed` says where the next one begins.
  const std::string first = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
  const std::string both = first + "GET /2 HTTP/1.1\r\n\r\n";
  RequestParser parser;
  ParseProgress progress = parser.feed(both);
  EXPECT_EQ(progress.event, ParseEvent::kHeaders);
  EXPECT_EQ(progress.consumed, first.size() - 3);
  progress = parser.feed(std::string_view(both).substr(progress.consumed));
  EXPECT_EQ(progress.event, ParseEvent::kComplete);
  EXPECT_EQ(progress.consumed, 3U);
  EXPECT_FALSE(parser.in_message());
}

}  // namespace
}  // namespace cassette::testing
