// What a conversation does with HTTP (conversation.h): requests are decided, answered by the player or forwarded, and
// recorded with their answers.
#include <string>
#include <utility>

#include "parser/writer.h"
#include "preload/engine/clock.h"
#include "preload/engine/connection/names.h"
#include "preload/engine/conversation/conversation.h"
#include "preload/engine/conversation/tunnel.h"

namespace cassette {

namespace {

constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

}  // namespace

std::size_t Conversation::parse_requests(std::string_view bytes) {
  std::size_t done = 0;
  bool again = false;
  while (phase_ == Phase::kHttp && (again || done < bytes.size()) &&
         !(exchange_.active && exchange_.request_complete)) {
    again = false;
    std::string_view rest = bytes.substr(done);
    if (awaits_body_or_request() && !settle_body(rest)) return done;
    if (!request_parser_.in_message()) begin_request();
    ParseProgress progress = request_parser_.feed(rest);
    std::string_view taken = rest.substr(0, progress.consumed);
    done += taken.size();
    if (exchange_.active) {
      to_upstream_.add_copy(taken);
    } else if (keeps_raw_) {
      raw_.append(taken);
    }
    if (playing_.active) play_on(request_parser_.body_size());
    switch (progress.event) {
      case ParseEvent::kNeedMore:
        break;
      case ParseEvent::kHeaders:
        request_head();
        again = true;  // a message without body is complete with no further byte
        break;
      case ParseEvent::kComplete:
        request_complete();
        break;
      case ParseEvent::kError:
        broken_request();
        break;
    }
  }
  return done;
}

void Conversation::request_head() {
  if (upstream_over_) return;
  if (request_parser_.is_connect()) {
    tunnel_head();
  } else if (player_->decides_at_headers() && decide()) {
    begin_exchange(/*records=*/true);
  }
  // A forwarded request gets the server's own 100.
  if (exchange_.active) return;
  if (play_early() || !request_parser_.expects_continue()) return;
  if (!decided_ && !player_->needs_body()) decide();
  if (!decided_) {
    const Decision refusal = player_->refuses_body(view());
    decided_ = refusal.kind == Decision::Kind::kReplay;
    if (decided_) decision_ = refusal;
  }
  answered_ = decided_ && decision_.kind == Decision::Kind::kReplay &&
              player_->answers_before_body(decision_.interaction);
  if (answered_) {
    play(decision_);
  } else {
    to_program_.add_view(kContinue);
  }
}

/// RFC 9110 section 10.1.1: the final answer came, or was played, in place of a 100. What the program sends now is the
/// body all the same, or, where the connection stays open, its next request.
bool Conversation::awaits_body_or_request() const {
  if (body_follows_ || !request_parser_.in_message() || request_parser_.body_size() != 0) {
    return false;
  }
  const bool refused = exchange_.active && exchange_.response_complete &&
                       !exchange_.request_complete && !exchange_.continued;
  return (refused || answered_) && request_parser_.expects_continue();
}

/// Which of the two it is. False: too little is there to say.
bool Conversation::settle_body(std::string_view bytes) {
  const Protocol protocol = sniff(bytes, program_finished_);
  if (protocol == Protocol::kHttp1 && bytes.find('\n') != std::string_view::npos) {
    next_request_instead_of_body();
    return true;
  }
  const auto length = request_parser_.request().headers.find("content-length");
  // A short one may be the beginning of a method as well.
  const bool is_all_of_it = length && *length == std::to_string(bytes.size());
  body_follows_ = protocol != Protocol::kUnknown || is_all_of_it;
  return body_follows_;
}

void Conversation::next_request_instead_of_body() {
  if (exchange_.active) finish_exchange();
  request_parser_ = RequestParser();
  request_parser_.keep_body(keeps_raw_ || player_->needs_body());
  answered_ = decided_ = false;
  raw_.clear();
}

bool Conversation::is_intercepted(const UriView& target) const {
  return terms_.intercepts == nullptr || terms_.intercepts(std::string(target.host), target.port);
}

/// CONNECT: the proxy is asked where there is one, or where what follows is none of our business.
void Conversation::tunnel_head() {
  decided_ = true;
  decision_ = {};
  const bool ours = is_intercepted(view().uri);
  if (ours) {
    decision_ = player_->refused_tunnel(view());
    if (decision_.kind == Decision::Kind::kReplay || terms_.policy != UpstreamPolicy::kAtConnect)
      return;
  }
  decision_.kind = Decision::Kind::kForward;
  if (!keeps_raw_) raw_ = write_request(request_parser_.request());
  begin_exchange(
      /*records=*/ours);  // a refusal; what is said through an open tunnel is recorded by itself
}

/// `request`: for the proxy, should it be needed; empty: it has answered already.
void Conversation::open_tunnel(std::string request) {
  const UriView target = view().uri;
  Terms terms = terms_;
  terms.host = target.host;
  terms.port = target.port;
  terms.address = is_numeric_host(terms.host.c_str()) ? terms.host : std::string();
  terms.scheme = "http";
  terms.within_tls = false;
  terms.policy = player_->upstream_policy(terms.host, terms.port);
  if (decision_.kind != Decision::Kind::kForward) to_program_.add_view(kTunnelOpen);
  phase_ = Phase::kChannel;
  channel_ = std::make_unique<Tunnel>(deck_, std::move(terms), std::move(request));
}

bool Conversation::decide() {
  decided_ = true;
  decision_ = player_->decide(view());
  return decision_.kind == Decision::Kind::kForward;
}

void Conversation::request_complete() {
  if (upstream_over_) return meet_closed_connection();
  if (!decided_) decide();
  decided_ = false;
  if (decision_.kind == Decision::Kind::kForward) {
    if (!exchange_.active) begin_exchange(/*records=*/true);
    request_sent();
    if (exchange_.response_complete) {
      finish_exchange();
    } else if (program_gone_) {
      give_up(/*closed=*/true);  // it was pipelined
    }
    return;
  }
  raw_.clear();
  if (request_parser_.is_connect() && decision_.kind != Decision::Kind::kReplay)
    return open_tunnel(write_request(request_parser_.request()));
  if (std::exchange(answered_, false)) return;
  if (playing_.active) {
    play_on(Piece::kWholeRequest);
    return finish_playing();
  }
  if (decision_.kind == Decision::Kind::kReplay) {
    play(decision_);
  } else {
    miss(decision_, {});
  }
}

void Conversation::broken_request() {
  std::string why = "the request is malformed (" + request_parser_.error() + ")";
  if (exchange_.active || keeps_raw_) {
    to_upstream_.add_copy(raw_);
    relay(why);
  } else {
    miss({Decision::Kind::kMiss, MissReason::kBadRequest, 0}, request_parser_.error());
  }
}

/// The program gets it as it is.
void Conversation::broken_response() {
  const std::string why = "the server's response is malformed (" + response_parser_.error() + ")";
  const bool records = exchange_.records;
  if (records) player_->cannot_record(view(), why);
  relay(records ? std::string_view() : why);
}

// --- the server's side -----------------------------------------------------------------------------

void Conversation::begin_exchange(bool records) {
  exchange_ = Exchange{};
  exchange_.active = true;
  exchange_.records = records;
  exchange_.sent = steady_now();
  response_parser_.expect_response_to(request_parser_.request().method);
  to_upstream_.add_copy(raw_);
  raw_.clear();
}

/// All of it.
void Conversation::request_sent() {
  exchange_.request_complete = true;
  if (!exchange_.has_begun) exchange_.sent = steady_now();
}

/// The server had closed the connection before this request came: nobody has seen it, and the program finds the end.
void Conversation::meet_closed_connection() {
  decision_ = {Decision::Kind::kForward, MissReason::kNone, 0};
  begin_exchange(/*records=*/true);
  exchange_.request_complete = true;
  record_error(kEofError);
  end();
}

void Conversation::finish_exchange() {
  const bool tunnel = request_parser_.is_connect();
  end_announced_ = !request_parser_.keep_alive() || !response_parser_.keep_alive();
  note_exchange();
  if (!response_parser_.switched_protocol()) return;
  if (tunnel && is_intercepted(view().uri)) {
    open_tunnel({});
  } else {
    relay(tunnel ? std::string_view() : "the connection switched protocols");
  }
}

}  // namespace cassette
