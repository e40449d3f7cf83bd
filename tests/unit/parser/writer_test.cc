// What is written is what was recorded, with a framing that the reader can follow.
#include "parser/writer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/request_parser.h"
#include "parser/response_parser.h"

namespace cassette::testing {
namespace {

using Fields = std::vector<Headers::Field>;

ResponseMessage response(int status, const Fields& fields, std::string body = "") {
  ResponseMessage message;
  message.status = status;
  message.reason = "R";
  for (const Headers::Field& field : fields) message.headers.add(field.name, field.value);
  message.body = std::move(body);
  return message;
}

RequestMessage request(const Fields& fields, std::string body = "") {
  RequestMessage message;
  message.method = "POST";
  message.target = "/t";
  for (const Headers::Field& field : fields) message.headers.add(field.name, field.value);
  message.body = std::move(body);
  return message;
}

std::string written(const ResponseMessage& message, const ResponseTarget& target = {}) {
  const WireResponse wire = write_response(message, target);
  EXPECT_EQ(wire.bytes.substr(0, wire.head_size).rfind("\r\n\r\n"), wire.head_size - 4);
  return wire.bytes + (wire.close_after ? "<close>" : "");
}

TEST(WriteResponse, CorrectsContentLengthInItsPlace) {
  EXPECT_EQ(written(response(200, {{"A", "1"}, {"content-length", "99"}, {"B", "2"}}, "abc")),
            "HTTP/1.1 200 R\r\nA: 1\r\ncontent-length: 3\r\nB: 2\r\n\r\nabc");
  EXPECT_EQ(written(response(200, {{"Content-Length", "9"}, {"Content-Length", "9"}}, "abc")),
            "HTTP/1.1 200 R\r\nContent-Length: 3\r\n\r\nabc");
}

TEST(WriteResponse, AddsContentLengthWhereNothingElseEndsTheBody) {
  EXPECT_EQ(written(response(200, {{"A", "1"}}, "abc")),
            "HTTP/1.1 200 R\r\nA: 1\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(written(response(404, {})), "HTTP/1.1 404 R\r\nContent-Length: 0\r\n\r\n");
}

TEST(WriteResponse, EndsABodyWithTheConnectionWhenThatWasSo) {
  EXPECT_EQ(written(response(200, {{"Connection", "close"}}, "abc")),
            "HTTP/1.1 200 R\r\nConnection: close\r\n\r\nabc<close>");
  ResponseMessage old = response(200, {}, "abc");
  old.version.minor = 0;
  EXPECT_EQ(written(old), "HTTP/1.0 200 R\r\n\r\nabc<close>");
  EXPECT_EQ(written(response(200, {{"Transfer-Encoding", "gzip"}, {"Content-Length", "1"}}, "abc")),
            "HTTP/1.1 200 R\r\nTransfer-Encoding: gzip\r\n\r\nabc<close>");
}

TEST(WriteResponse, EndsABodyWithTheConnectionWhereNothingSaysHowLongItIs) {
  ResponseTarget target;
  target.until_close = true;
  ResponseMessage response;
  response.status = 200;
  response.reason = "OK";
  response.body = "body";
  WireResponse wire = write_response(response, target);
  EXPECT_EQ(wire.bytes, "HTTP/1.1 200 OK\r\n\r\nbody");
  EXPECT_TRUE(wire.close_after);
  // `identity` says it too, whoever recorded it.
  response.headers.add("Transfer-Encoding", "identity");
  wire = write_response(response, {});
  EXPECT_EQ(wire.bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nbody");
  EXPECT_TRUE(wire.close_after);
}

TEST(WriteResponse, LeavesCutShortWhatWas) {
  ResponseTarget target;
  target.cut_short = true;
  ResponseMessage response;
  response.status = 200;
  response.reason = "OK";
  response.body = "body";
  ResponseMessage chunked = response;
  response.headers.add("Content-Length", "100");
  EXPECT_EQ(write_response(response, target).bytes,
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbody");
  chunked.headers.add("Transfer-Encoding", "chunked");
  chunked.trailers.add("T", "v");
  EXPECT_EQ(write_response(chunked, target).bytes,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n");
}

TEST(WriteResponse, WritesChunksAsTheyWereRecorded) {
  ResponseMessage message = response(200, {{"Transfer-Encoding", "chunked"}}, "abcdef");
  message.trailers.add("T", "u");
  const std::string head = "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(write_response(message, {}).bytes, head + "6\r\nabcdef\r\n0\r\nT: u\r\n\r\n");
  EXPECT_EQ(write_response(message, {}, {1, 6}).bytes,
            head + "1\r\na\r\n5\r\nbcdef\r\n0\r\nT: u\r\n\r\n");
  // Offsets that do not fit the body lose nothing of it.
  EXPECT_EQ(write_response(message, {}, {2, 2, 1, 4}).bytes,
            head + "2\r\nab\r\n2\r\ncd\r\n2\r\nef\r\n0\r\nT: u\r\n\r\n");
  EXPECT_EQ(write_response(message, {}, {99}).bytes, head + "6\r\nabcdef\r\n0\r\nT: u\r\n\r\n");
  message.body.clear();
  EXPECT_EQ(write_response(message, {}, {0}).bytes, head + "0\r\nT: u\r\n\r\n");
}

TEST(WriteResponse, SparesAnHttp10PeerTheChunks) {
  ResponseMessage message = response(200, {{"A", "1"}, {"Transfer-Encoding", "chunked"}}, "abc");
  message.trailers.add("T", "u");
  EXPECT_EQ(written(message, {.http_1_0 = true}), "HTTP/1.1 200 R\r\nA: 1\r\n\r\nabc<close>");
  message.headers.clear();
  message.headers.add("Transfer-Encoding", "gzip , chunked");
  EXPECT_EQ(written(message, {.http_1_0 = true}),
            "HTTP/1.1 200 R\r\nTransfer-Encoding: gzip \r\n\r\nabc<close>");
}

TEST(WriteResponse, KeepsAnHttp10ConnectionThatWasKept) {
  const ResponseMessage message =
      response(200, {{"Connection", "keep-alive"}, {"Content-Length", "1"}}, "a");
  EXPECT_EQ(written(message, {.http_1_0 = true}),
            "HTTP/1.1 200 R\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(written(response(200, {{"Content-Length", "1"}}, "a"), {.http_1_0 = true}),
            "HTTP/1.1 200 R\r\nContent-Length: 1\r\n\r\na<close>");
}

TEST(WriteResponse, AnswersHeadAsRecordedWithoutABody) {
  EXPECT_EQ(written(response(200, {{"Content-Length", "99"}}), {.head_request = true}),
            "HTTP/1.1 200 R\r\nContent-Length: 99\r\n\r\n");
  EXPECT_EQ(written(response(200, {{"Transfer-Encoding", "chunked"}}, "x"), {.head_request = true}),
            "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(written(response(200, {}), {.head_request = true}), "HTTP/1.1 200 R\r\n\r\n");
}

TEST(WriteResponse, WritesNoBodyWhereNoneCanBe) {
  EXPECT_EQ(written(response(204, {{"A", "b"}}, "x")), "HTTP/1.1 204 R\r\nA: b\r\n\r\n");
  EXPECT_EQ(written(response(204, {{"Content-Length", "5"}})),
            "HTTP/1.1 204 R\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(written(response(304, {{"Content-Length", "5"}}, "x")),
            "HTTP/1.1 304 R\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(written(response(100, {})), "HTTP/1.1 100 R\r\n\r\n");
}

TEST(WriteResponse, LetsNoFieldSmuggleALine) {
  ResponseMessage message = response(200, {{"A\r\nX", "b\r\nY: z\n"}}, "");
  message.reason = std::string("O\r\nK\0", 5);
  EXPECT_EQ(written(message), "HTTP/1.1 200 O  K \r\nA  X: b  Y: z \r\nContent-Length: 0\r\n\r\n");
}

TEST(WriteRequest, FramesTheBody) {
  EXPECT_EQ(write_request(request({{"Host", "h"}})), "POST /t HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(write_request(request({{"Host", "h"}}, "ab")),
            "POST /t HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_EQ(write_request(request({{"content-length", "7"}, {"Host", "h"}}, "ab")),
            "POST /t HTTP/1.1\r\ncontent-length: 2\r\nHost: h\r\n\r\nab");
  EXPECT_EQ(write_request(request({{"Content-Length", "0"}})),
            "POST /t HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  RequestMessage chunked =
      request({{"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}}, "ab");
  chunked.trailers.add("T", "u");
  EXPECT_EQ(write_request(chunked),
            "POST /t HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: u\r\n\r\n");
}

/// The one message that the bytes are. `ends`: the connection ends behind them.
bool parse(std::string_view bytes, RequestMessage& message) {
  RequestParser parser;
  const ParseProgress head = parser.feed(bytes);
  const ParseProgress rest = parser.feed(bytes.substr(head.consumed));
  message = parser.request();
  return head.event == ParseEvent::kHeaders && rest.event == ParseEvent::kComplete &&
         head.consumed + rest.consumed == bytes.size();
}

bool parse(std::string_view bytes, bool ends, ResponseMessage& message) {
  ResponseParser parser;
  parser.expect_response_to("GET");
  const ParseProgress head = parser.feed(bytes);
  ParseProgress rest = parser.feed(bytes.substr(head.consumed));
  if (rest.event == ParseEvent::kNeedMore && ends) rest.event = parser.finish();
  message = parser.response();
  return head.event == ParseEvent::kHeaders && rest.event == ParseEvent::kComplete &&
         head.consumed + rest.consumed == bytes.size();
}

struct Framing {
  std::vector<std::pair<std::string, std::string>> fields;
  bool has_length;
  bool has_trailers;
  bool until_close;
};

/// All framings, with fields around them that must come through untouched.
std::vector<Framing> framings(std::size_t body_size) {
  const std::string size = std::to_string(body_size);
  return {
      {{{"X", "1"}, {"content-length", size}, {"x", ""}, {"X", "\xff\x01"}}, true, false, false},
      {{{"Connection", "close"}, {"Content-Length", size}}, true, false, false},
      {{{"Transfer-Encoding", "chunked"}, {"Trailer", "T"}}, false, true, false},
      {{{"Transfer-Encoding", "a"}, {"X", "a, b"}, {"transfer-encoding", "b,Chunked"}},
       false,
       true,
       false},
      {{{"Connection", "Keep-Alive, Close"}}, false, false, true},
      {{{"Transfer-Encoding", "gzip"}}, false, false, true},
  };
}

const std::vector<std::string>& bodies() {
  static const std::vector<std::string> some = [] {
    std::string binary;
    for (int i = 0; i < 1000; ++i) binary += static_cast<char>(i * 7);
    return std::vector<std::string>{"", "x", "0\r\n\r\n", binary};
  }();
  return some;
}

template <typename Message>
void fill(Message& message, const Framing& framing, const std::string& body, int minor) {
  for (const auto& [name, value] : framing.fields) message.headers.add(name, value);
  if (framing.has_trailers) message.trailers.add("T", "u");
  message.body = body;
  message.version.minor = minor;
}

template <typename Message>
void expect_equal(const Message& a, const Message& b) {
  EXPECT_EQ(a.version, b.version);
  EXPECT_TRUE(a.headers == b.headers);
  EXPECT_EQ(a.body, b.body);
  EXPECT_TRUE(a.trailers == b.trailers);
}

TEST(WriteThenParse, GivesTheSameResponse) {
  for (const std::string& body : bodies()) {
    for (const Framing& framing : framings(body.size())) {
      for (const int minor : {0, 1}) {
        for (const int status : {200, 204, 304, 599}) {
          if (status == 204 && framing.has_length) continue;  // is corrected
          ResponseMessage message = response(status, {});
          fill(message, framing, body, minor);
          if (status == 204 || status == 304) {
            message.body.clear();
            message.trailers.clear();
          }
          const WireResponse wire = write_response(message, {}, {body.size() / 3, body.size()});
          ResponseMessage again;
          ASSERT_TRUE(parse(wire.bytes, wire.close_after, again)) << wire.bytes;
          EXPECT_EQ(again.status, message.status);
          EXPECT_EQ(again.reason, message.reason);
          expect_equal(again, message);
        }
      }
    }
  }
}

TEST(WriteThenParse, GivesTheSameRequest) {
  for (const std::string& body : bodies()) {
    for (const Framing& framing : framings(body.size())) {
      if (framing.until_close) continue;  // a request cannot be
      for (const int minor : {0, 1}) {
        RequestMessage message = request({});
        fill(message, framing, body, minor);
        RequestMessage again;
        ASSERT_TRUE(parse(write_request(message), again)) << write_request(message);
        EXPECT_EQ(again.method, message.method);
        EXPECT_EQ(again.target, message.target);
        expect_equal(again, message);
      }
    }
  }
}

}  // namespace
}  // namespace cassette::testing
