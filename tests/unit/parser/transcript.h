// Runs a parser over input that comes in pieces, and writes down all that it reports as text, so
// that two runs can be compared and a test can show what it expects. Also used by the fuzzers.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "parser/request_parser.h"
#include "parser/response_parser.h"

namespace cassette::testing {

inline void append_fields(std::string& out, const char* prefix, const Headers& headers) {
  for (const Headers::Field field : headers) {
    out.append(prefix).append("[").append(field.name).append("]=[").append(field.value);
    out.append("]\n");
  }
}

inline void append_version(std::string& out, HttpVersion version) {
  out += " HTTP/" + std::to_string(version.major) + "." + std::to_string(version.minor);
}

inline void append_head(std::string& out, const RequestParser& parser) {
  const RequestMessage& request = parser.request();
  out += "head " + request.method + " " + request.target;
  append_version(out, request.version);
  if (parser.keep_alive()) out += " keep-alive";
  if (parser.expects_continue()) out += " expects-continue";
  if (parser.is_connect()) out += " connect";
  if (parser.offers_upgrade()) out += " offers-upgrade";
  out += "\n";
  append_fields(out, "  ", request.headers);
}

inline void append_head(std::string& out, const ResponseParser& parser) {
  static const char* const kFramings[] = {"none", "content-length", "chunked", "until-close"};
  const ResponseMessage& response = parser.response();
  out += "head " + std::to_string(response.status) + " [" + response.reason + "]";
  append_version(out, response.version);
  out += std::string(" ") + kFramings[static_cast<int>(parser.framing())];
  if (parser.keep_alive()) out += " keep-alive";
  if (parser.interim()) out += " interim";
  if (parser.switched_protocol()) out += " switched";
  out += "\n";
  append_fields(out, "  ", response.headers);
}

inline const RequestMessage& message_of(const RequestParser& parser) { return parser.request(); }
inline const ResponseMessage& message_of(const ResponseParser& parser) { return parser.response(); }

/// A log of what happens when the pieces are fed one after the other.
template <typename Parser>
class Transcript {
 public:
  explicit Transcript(Parser& parser) : parser_(parser) {}

  void feed(std::string_view piece) {
    while (!failed_) {
      const ParseProgress progress = parser_.feed(piece);
      if (progress.consumed > piece.size()) std::abort();
      piece.remove_prefix(progress.consumed);
      record(progress.event);
      if (progress.event == ParseEvent::kNeedMore) {
        if (!piece.empty()) std::abort();  // kNeedMore promises that all was consumed
        return;
      }
    }
  }

  void record(ParseEvent event) {
    switch (event) {
      case ParseEvent::kNeedMore:
        break;
      case ParseEvent::kHeaders:
        append_head(text_, parser_);
        break;
      case ParseEvent::kComplete:
        text_ += "complete " + std::to_string(parser_.body_size()) + " [" +
                 message_of(parser_).body + "]\n";
        append_fields(text_, "  trailer ", message_of(parser_).trailers);
        break;
      case ParseEvent::kError:
        failed_ = true;
        text_ += "error " + parser_.error() + "\n";
        break;
    }
  }

  bool failed() const { return failed_; }
  /// What was reported, and whether the parser is left within a message.
  std::string text() const {
    return failed_ || !parser_.in_message() ? text_ : text_ + "in message\n";
  }

 private:
  Parser& parser_;
  std::string text_;
  bool failed_ = false;
};

inline std::string request_transcript(const std::vector<std::string_view>& pieces,
                                      ParseLimits limits = {}) {
  RequestParser parser(limits);
  Transcript<RequestParser> transcript(parser);
  for (const std::string_view piece : pieces) transcript.feed(piece);
  return transcript.text();
}

/// `method`: what all the responses answer. At the end of the pieces the connection ends.
inline std::string response_transcript(const std::vector<std::string_view>& pieces,
                                       std::string_view method = "GET", ParseLimits limits = {}) {
  ResponseParser parser(limits);
  parser.expect_response_to(method);
  Transcript<ResponseParser> transcript(parser);
  for (const std::string_view piece : pieces) transcript.feed(piece);
  if (!transcript.failed()) transcript.record(parser.finish());
  return transcript.text();
}

}  // namespace cassette::testing
