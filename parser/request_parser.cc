// RequestParser: what is a request's own on top of HttpParser.
#include "parser/request_parser.h"

#include "parser/framing.h"
#include "parser/http_parser.h"

namespace cassette {

struct RequestParser::State final : HttpParser {
  explicit State(ParseLimits limits) : HttpParser(HTTP_REQUEST, limits) {
    deliver_to({.method = &message.method,
                .target = &message.target,
                .reason = nullptr,
                .version = &message.version,
                .headers = &message.headers,
                .body = &message.body,
                .trailers = &message.trailers});
  }

  void begin() override { message.clear(); }
  /// What follows a CONNECT belongs to the tunnel, or to the next request if it is declined.
  bool ends_with_head() override { return is_connect(); }
  bool is_connect() const { return llhttp().method == HTTP_CONNECT; }

  RequestMessage message;
};

RequestParser::RequestParser(ParseLimits limits) : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

ParseProgress RequestParser::feed(std::string_view bytes) { return state_->feed(bytes); }
const RequestMessage& RequestParser::request() const { return state_->message; }
void RequestParser::keep_body(bool keep) { state_->keep_body(keep); }
std::uint64_t RequestParser::body_size() const { return state_->body_size(); }
bool RequestParser::in_message() const { return state_->in_message(); }
bool RequestParser::announces_body() const { return state_->announces_body(); }
bool RequestParser::is_connect() const { return state_->is_connect(); }
const std::string& RequestParser::error() const { return state_->error(); }

bool RequestParser::keep_alive() const {
  return !state_->framing_is_doubtful() &&
         connection_persists(state_->message.version, state_->message.headers);
}

bool RequestParser::expects_continue() const {
  return state_->announces_body() && state_->message.version == HttpVersion{1, 1} &&
         state_->message.headers.has_token("expect", "100-continue");
}

bool RequestParser::offers_upgrade() const {
  const Headers& headers = state_->message.headers;
  return headers.find("upgrade").has_value() && headers.has_token("connection", "upgrade");
}

}  // namespace cassette
