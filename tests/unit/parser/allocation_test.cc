// The fast path parses every request of a connection into the same object: once it has seen a
// connection's requests, it must not allocate for the next one like them.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "parser/request_parser.h"
#include "parser/response_parser.h"
#include "tests/unit/store/allocations.h"

namespace cassette {
namespace {

/// Feeds one message in pieces of the given size. How many allocations that took.
template <typename Parser>
std::size_t allocations_for(Parser& parser, std::string_view bytes, std::size_t piece_size) {
  const std::size_t before = allocations();
  bool complete = false;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, piece_size);
    bytes.remove_prefix(piece.size());
    for (;;) {
      const ParseProgress progress = parser.feed(piece);
      piece.remove_prefix(progress.consumed);
      if (progress.event == ParseEvent::kError) return ~std::size_t{0};
      if (progress.event == ParseEvent::kComplete) complete = true;
      if (progress.event == ParseEvent::kNeedMore) break;
    }
  }
  return complete ? allocations() - before : ~std::size_t{0};
}

const std::string& posted() {
  static const std::string bytes =
      "POST /v1/items?page=2 HTTP/1.1\r\nHost: api.example.org\r\nAccept: */*\r\n"
      "User-Agent: a-client-with-a-long-name/1.0\r\nContent-Type: application/json\r\n"
      "Content-Length: 4000\r\n\r\n" +
      std::string(4000, 'x');
  return bytes;
}

constexpr std::string_view kChunked =
    "POST /v1/items HTTP/1.1\r\nHost: api.example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\nX-Trailer-Field: value-of-a-length-that-is-not-in-the-object\r\n\r\n";

TEST(RequestParser, DoesNotAllocateInTheSteadyState) {
  for (const std::size_t piece_size : {std::size_t{100000}, std::size_t{1000}, std::size_t{1}}) {
    RequestParser parser;
    const std::size_t at_first = allocations_for(parser, posted(), piece_size);
    EXPECT_TRUE(at_first > 0 || !kCountsAllocations);
    allocations_for(parser, kChunked, piece_size);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(allocations_for(parser, posted(), piece_size), 0U) << piece_size;
      EXPECT_EQ(allocations_for(parser, kChunked, piece_size), 0U) << piece_size;
    }
  }
}

TEST(ResponseParser, DoesNotAllocateInTheSteadyState) {
  constexpr std::string_view bytes =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
      "5\r\n\r\nhello";
  ResponseParser parser;
  parser.expect_response_to("GET");
  allocations_for(parser, bytes, 100);
  EXPECT_EQ(allocations_for(parser, bytes, 100), 0U);
}

TEST(RequestParser, UsesNoMemoryForABodyThatItDoesNotKeep) {
  RequestParser parser;
  parser.keep_body(false);
  allocations_for(parser, "GET / HTTP/1.1\r\nHost: a.name.of.some.length\r\n\r\n", 100);
  const std::string body(100000, 'x');
  const std::string bytes = "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + body;
  EXPECT_EQ(allocations_for(parser, bytes, 4096), 0U);
  EXPECT_EQ(parser.body_size(), body.size());
  EXPECT_LT(parser.request().body.capacity(), 100U);
}

}  // namespace
}  // namespace cassette
