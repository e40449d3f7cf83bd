// What a conversation does with HTTP (conversation.h): requests are decided, answered by the player or forwarded, and
// recorded with their answers.
#include <cerrno>
#include <cstring>
#include <utility>

#include "parser/writer.h"
#include "preload/engine/clock.h"
#include "preload/engine/connection/names.h"
#include "preload/engine/conversation/conversation.h"
#include "preload/engine/conversation/tunnel.h"
#include "store/request_note.h"

namespace cassette {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

constexpr int kMissStatus = 599;

/// Pieces that arrived closer together than this are one piece: a body that came at once has none.
constexpr std::uint32_t kPieceMilliseconds = 10;

/// The errno that a cassette names, e.g. "ECONNRESET"; ECONNRESET when nobody knows the name.
int errno_of(std::string_view name) {
  constexpr int kHighest = 133;
  for (int number = 1; number <= kHighest; ++number) {
    const char* known = strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  return ECONNRESET;
}

std::int64_t nanoseconds(std::uint32_t milliseconds) {
  return std::int64_t{milliseconds} * 1'000'000;
}

}  // namespace

std::size_t Conversation::parse_requests(std::string_view bytes) {
  std::size_t done = 0;
  bool again = false;
  while (phase_ == Phase::kHttp && (again || done < bytes.size()) &&
         !(exchange_.active && exchange_.request_complete)) {
    again = false;
    if (!request_parser_.in_message()) begin_request();
    std::string_view rest = bytes.substr(done);
    ParseProgress progress = request_parser_.feed(rest);
    std::string_view taken = rest.substr(0, progress.consumed);
    done += taken.size();
    if (exchange_.active) {
      to_upstream_.add_copy(taken);
    } else if (keeps_raw_) {
      raw_.append(taken);
    }
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
  if (request_parser_.is_connect()) {
    tunnel_head();
  } else if (player_->decides_at_headers() && decide()) {
    begin_exchange(/*records=*/true);
  }
  // A forwarded request gets the server's own 100.
  if (exchange_.active || !request_parser_.expects_continue()) return;
  if (!decided_ && !player_->needs_body()) decide();
  answered_ = decided_ && decision_.kind == Decision::Kind::kReplay &&
              player_->answers_before_body(decision_.interaction);
  if (answered_) {
    play(decision_);
  } else {
    to_program_.add_view(kContinue);
  }
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
  if (!decided_) decide();
  decided_ = false;
  if (decision_.kind == Decision::Kind::kForward) {
    if (!exchange_.active) begin_exchange(/*records=*/true);
    exchange_.request_complete = true;
    if (exchange_.response_complete) finish_exchange();
    return;
  }
  raw_.clear();
  if (request_parser_.is_connect() && decision_.kind != Decision::Kind::kReplay)
    return open_tunnel(write_request(request_parser_.request()));
  if (std::exchange(answered_, false)) return;
  if (decision_.kind == Decision::Kind::kReplay) {
    play(decision_);
  } else {
    miss(decision_, {});
  }
}

void Conversation::play(const Decision& decision) {
  const RequestMessage& request = request_parser_.request();
  ResponseTarget target;
  target.head_request = request.method == "HEAD";
  target.http_1_0 = request.version.major == 1 && request.version.minor == 0;
  PlayedResponse response = player_->response(decision.interaction, target, scratch_);
  note(view(), HistoryOutcome::kReplayed, decision, 0);
  if (!response.error.empty()) {
    reset_error_ = errno_of(response.error);
    end();
    return;
  }
  queue(response);
  if (response.close_after || !request_parser_.keep_alive()) end();
}

void Conversation::queue(const PlayedResponse& response) {
  bool in_scratch = response.bytes.data() == scratch_.data();
  auto add = [&](std::string_view bytes, Output::Time due) {
    in_scratch ? to_program_.add_copy(bytes, due) : to_program_.add_view(bytes, due);
  };
  if (terms_.replay_speed <= 0 || response.pieces.empty()) {
    add(response.bytes, 0);
    return;
  }
  std::int64_t now = steady_now();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < response.pieces.size(); ++i) {
    std::size_t end =
        i + 1 < response.pieces.size() ? response.pieces[i + 1].offset : response.bytes.size();
    double wait = static_cast<double>(nanoseconds(response.pieces[i].milliseconds));
    add(response.bytes.substr(begin, end - begin),
        now + static_cast<std::int64_t>(wait / terms_.replay_speed));
    begin = end;
  }
}

void Conversation::miss(const Decision& decision, std::string_view detail) {
  answer_miss(view(), decision, detail);
  if (terms_.reset_on_miss || decision.reason == MissReason::kBadRequest ||
      !request_parser_.keep_alive()) {
    end();
  }
}

/// Leaves the end of the connection to the caller.
void Conversation::answer_miss(const RequestView& request, const Decision& decision,
                               std::string_view detail) {
  std::string answer = player_->miss(request, decision, detail);
  note(request, HistoryOutcome::kMissed, decision, terms_.reset_on_miss ? 0 : kMissStatus);
  if (terms_.reset_on_miss) {
    reset_error_ = ECONNRESET;
    return;
  }
  std::string_view bytes = answer;
  if (request.method == "HEAD") bytes = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
  to_program_.add_copy(bytes);
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
  exchange_.active = true;
  exchange_.records = records;
  exchange_.request_complete = false;
  exchange_.response_complete = false;
  exchange_.recorded = false;
  exchange_.began_steady = steady_now();
  exchange_.pieces.clear();
  response_parser_.expect_response_to(request_parser_.request().method);
  to_upstream_.add_copy(raw_);
  raw_.clear();
}

void Conversation::finish_exchange() {
  const bool tunnel = request_parser_.is_connect();
  note_exchange();
  if (!response_parser_.switched_protocol()) return;
  if (tunnel && is_intercepted(view().uri)) {
    open_tunnel({});
  } else {
    relay(tunnel ? std::string_view() : "the connection switched protocols");
  }
}

Interaction Conversation::interaction() const {
  Interaction interaction;
  interaction.request = request_parser_.request();
  interaction.request_has_body = !interaction.request.body.empty();
  interaction.uri = format_uri(view().uri);
  interaction.recorded_at = began_ / 1000;
  return interaction;
}

void Conversation::record_response() {
  if (!exchange_.records) return;
  if (response_parser_.switched_protocol()) return;
  Interaction interaction = this->interaction();
  interaction.response = response_parser_.response();
  if (exchange_.pieces.size() > 1) interaction.chunks = exchange_.pieces;
  // Told and counted by the player; the program gets its answer in any case.
  auto kept = player_->record(std::move(interaction));
  exchange_.recorded = kept && *kept;
}

void Conversation::record_error(int error) {
  Interaction interaction = this->interaction();
  const char* name = strerrorname_np(error);
  interaction.error = name != nullptr ? name : "ECONNRESET";
  exchange_.recorded = player_->record(std::move(interaction)).ok();
}

void Conversation::note(const RequestView& request, HistoryOutcome outcome,
                        const Decision& decision, int status) {
  player_->handled(request,
                   {outcome, decision, status, began_ / 1000, wall_now() - began_, thread_});
}

/// However it ended.
void Conversation::note_exchange() {
  if (!std::exchange(exchange_.active, false)) return;
  bool answered = exchange_.response_complete || exchange_.recorded;
  note(view(), exchange_.recorded ? HistoryOutcome::kRecorded : HistoryOutcome::kForwarded,
       decision_, answered ? response_parser_.response().status : 0);
}

/// By the rule for answers that never became whole (docs/durability.md).
void Conversation::not_recorded(std::string_view why) {
  if (exchange_.records) player_->not_recorded(view(), why);
}

void Conversation::note_piece(std::uint64_t before, std::uint64_t after) {
  if (after <= before) return;
  auto milliseconds =
      static_cast<std::uint32_t>((steady_now() - exchange_.began_steady) / 1'000'000);
  std::vector<Piece>& pieces = exchange_.pieces;
  if (pieces.empty() || milliseconds - pieces.back().milliseconds >= kPieceMilliseconds) {
    pieces.push_back({before, milliseconds});
  }
}

}  // namespace cassette
