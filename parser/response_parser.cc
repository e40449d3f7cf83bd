// ResponseParser: what is a response's own on top of HttpParser.
#include "parser/response_parser.h"

#include "parser/framing.h"
#include "parser/http_parser.h"

namespace cassette {

struct ResponseParser::State final : HttpParser {
  explicit State(ParseLimits limits) : HttpParser(HTTP_RESPONSE, limits) {
    deliver_to({.method = nullptr,
                .target = nullptr,
                .reason = &message.reason,
                .version = &message.version,
                .headers = &message.headers,
                .body = &message.body,
                .trailers = &message.trailers});
  }

  void begin() override {
    message.clear();
    interim = false;
    switched_protocol = false;
  }

  bool ends_with_head() override {
    const int status = llhttp().status_code;
    message.status = status;
    interim = status >= 100 && status < 200 && status != 101;
    switched_protocol = status == 101 || (to_connect && status >= 200 && status < 300);
    return to_head || switched_protocol || status_has_no_body(status);
  }

  void end() override {
    if (!interim) to_head = to_connect = false;  // the next one answers another request
  }

  bool is_followed_by_http() const override { return !switched_protocol; }

  ResponseMessage message;
  bool to_head = false;
  bool to_connect = false;
  bool interim = false;
  bool switched_protocol = false;
};

ResponseParser::ResponseParser(ParseLimits limits) : state_(std::make_unique<State>(limits)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

void ResponseParser::expect_response_to(std::string_view method) {
  state_->to_head = method == "HEAD";
  state_->to_connect = method == "CONNECT";
}

ParseProgress ResponseParser::feed(std::string_view bytes) { return state_->feed(bytes); }
ParseEvent ResponseParser::finish() { return state_->finish(); }
const ResponseMessage& ResponseParser::response() const { return state_->message; }
std::uint64_t ResponseParser::body_size() const { return state_->body_size(); }
bool ResponseParser::in_message() const { return state_->in_message(); }
bool ResponseParser::interim() const { return state_->interim; }
bool ResponseParser::switched_protocol() const { return state_->switched_protocol; }
BodyFraming ResponseParser::framing() const { return state_->framing(); }
const std::string& ResponseParser::error() const { return state_->error(); }

bool ResponseParser::keep_alive() const {
  return state_->framing() != BodyFraming::kUntilClose && !state_->switched_protocol &&
         connection_persists(state_->message.version, state_->message.headers);
}

}  // namespace cassette
