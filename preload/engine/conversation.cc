// See conversation.h. Must not know a descriptor.
#include "preload/engine/conversation.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "parser/writer.h"
#include "preload/engine/clock.h"
#include "preload/engine/names.h"
#include "preload/engine/secure_channel.h"
#include "preload/engine/tunnel.h"
#include "store/log.h"
#include "store/request_note.h"

namespace cassette {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

constexpr int kMissStatus = 599;

constexpr std::int64_t kLinePatience = 300'000'000;
constexpr std::int64_t kSilencePatience = 3'000'000'000;

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

Conversation::Conversation(Deck& deck, Terms terms)
    : deck_(deck),
      generation_(deck.generation()),
      player_(deck.current()),
      terms_(std::move(terms)) {
  keeps_raw_ = terms_.policy != UpstreamPolicy::kNever;
  request_parser_.keep_body(keeps_raw_ || player_->needs_body());
}

Conversation::~Conversation() = default;

void Conversation::begin_request() {
  adopt_player();
  began_ = wall_now();
  thread_ = this_thread_id();
}

/// Between two requests: another cassette may have been inserted since. What is queued may be a view
/// into the former one.
void Conversation::adopt_player() {
  if (to_program_.empty()) former_.clear();
  if (deck_.generation() == generation_) return;
  generation_ = deck_.generation();
  former_.push_back(std::move(player_));
  player_ = deck_.current();
  terms_.policy = player_->upstream_policy(terms_.host, terms_.port);
  terms_.may_relay = player_->may_relay();
  keeps_raw_ = terms_.policy != UpstreamPolicy::kNever;
  request_parser_.keep_body(keeps_raw_ || player_->needs_body());
}

// --- what happened ---------------------------------------------------------------------------------

void Conversation::from_program(std::string_view bytes) {
  if (channel_) return channel_->from_program(bytes);
  if (phase_ == Phase::kHttp && input_.empty()) bytes.remove_prefix(parse_requests(bytes));
  input_.append(bytes);
  work();
}

void Conversation::program_finished() {
  program_finished_ = true;
  if (channel_) return channel_->program_finished();
  work();
}

void Conversation::from_upstream(std::string_view bytes) {
  if (channel_) return channel_->from_upstream(bytes);
  if (phase_ == Phase::kSniffing) relay({});  // the server speaks first: no HTTP
  bool again = false;
  while (phase_ == Phase::kHttp && (again || !bytes.empty())) {
    again = false;
    if (!exchange_.active || exchange_.response_complete) {
      relay("the server sent bytes that answer no request");
      break;
    }
    std::uint64_t before = response_parser_.in_message() ? response_parser_.body_size() : 0;
    ParseProgress progress = response_parser_.feed(bytes);
    note_piece(before, response_parser_.body_size());
    std::string_view taken = bytes.substr(0, progress.consumed);
    switch (progress.event) {
      case ParseEvent::kError:
        relay("the server's response is malformed (" + response_parser_.error() + ")");
        continue;
      case ParseEvent::kHeaders:
        again = true;
        break;
      case ParseEvent::kComplete:
        if (response_parser_.interim()) break;
        record_response();  // in the journal before its last byte reaches the program
        exchange_.response_complete = true;
        break;
      case ParseEvent::kNeedMore:
        break;
    }
    to_program_.add_copy(taken);
    bytes.remove_prefix(taken.size());
    if (exchange_.response_complete && exchange_.request_complete) finish_exchange();
  }
  if (phase_ == Phase::kRelay) to_program_.add_copy(bytes);
  if (channel_ && !bytes.empty()) channel_->from_upstream(bytes);
  work();
}

void Conversation::upstream_finished() {
  if (channel_) return channel_->upstream_finished();
  if (phase_ == Phase::kRelay) {
    ends_program_ = true;
    return;
  }
  if (exchange_.active && !exchange_.response_complete) {
    if (response_parser_.finish() == ParseEvent::kComplete) {
      record_response();
    } else if (exchange_.records) {
      log(LogLevel::kWarn, place() +
                               ": the server closed the connection before its response was "
                               "complete: not recorded");
    }
  }
  end();
}

void Conversation::upstream_failed(int error, bool told) {
  if (channel_) return channel_->upstream_failed(error);
  if (phase_ == Phase::kEnded) return;
  if (!told && exchange_.active && !exchange_.response_complete && exchange_.records) {
    log(LogLevel::kWarn, place() + ": the connection to the server failed (" +
                             strerrordesc_np(error) + "): not recorded");
  }
  reset_error_ = error;
  end();
}

void Conversation::deadline_passed() {
  if (channel_) return channel_->deadline_passed();
  if (phase_ != Phase::kSniffing || program_finished_) return;
  if (input_.empty()) {
    refuse("the program waits for the server to speak first, which is not HTTP");
  } else if (settle_protocol(/*complete=*/true)) {
    work();
  }
}

// --- the program's side ----------------------------------------------------------------------------

void Conversation::work() {
  for (;;) {
    if (phase_ == Phase::kSniffing) {
      if (input_.empty() || !settle_protocol(program_finished_)) break;
    } else if (phase_ == Phase::kHttp && !input_.empty()) {
      std::size_t parsed = parse_requests(input_);
      input_.erase(0, parsed);
      if (parsed == 0) break;  // behind a forwarded request
    } else {
      if (phase_ == Phase::kRelay) to_upstream_.add_copy(input_);
      if (phase_ == Phase::kChannel) channel_->from_program(input_);
      input_.clear();
      break;
    }
  }
  if (!program_finished_ || !input_.empty() || phase_ == Phase::kEnded) return;
  if (channel_) return channel_->program_finished();
  if (phase_ == Phase::kRelay || exchange_.active) {
    ends_upstream_ = true;  // a half-close: the server may still answer
  } else if (request_parser_.in_message() && terms_.policy == UpstreamPolicy::kAtConnect) {
    to_upstream_.add_copy(raw_);  // the server gets what it would have got
    relay("the program closed within a request");
    ends_upstream_ = true;
  } else {
    end();
  }
}

bool Conversation::settle_protocol(bool complete) {
  bool may_forward = terms_.policy != UpstreamPolicy::kNever;
  Protocol protocol = sniff(input_, complete);
  switch (protocol) {
    case Protocol::kUnknown:
      return false;
    case Protocol::kHttp1:
      phase_ = Phase::kHttp;
      break;
    case Protocol::kHttp2:
      if (may_forward) {
        relay("HTTP/2 is not recorded by this version");
      } else {
        refuse_protocol("HTTP/2", "HTTP/2 is not replayed by this version");
      }
      break;
    case Protocol::kTls:
      settle_tls();
      break;
    case Protocol::kOther:
      if (terms_.may_relay) {
        relay({});
      } else {
        refuse("this is not HTTP, and mode none lets nothing out");
      }
      break;
  }
  return true;
}

void Conversation::settle_tls() {
  const TlsSupport* support =
      terms_.tls != nullptr && !terms_.within_tls ? &terms_.tls() : nullptr;
  if (support != nullptr && support->api != nullptr) {
    phase_ = Phase::kChannel;
    channel_ = std::make_unique<SecureChannel>(deck_, terms_, *support);
    return;
  }
  // Never let out: what is inside could have been recorded or replayed.
  refuse_protocol("TLS",
                  support != nullptr ? support->problem.c_str() : "TLS within TLS is not handled");
}

/// A miss without a request.
void Conversation::refuse_protocol(const char* method, const char* what) {
  RequestView request;
  request.method = method;
  request.uri.scheme = "https";
  request.uri.host = terms_.host;
  request.uri.port = terms_.port;
  request.uri.path = "/";
  Headers none;
  request.headers = &none;
  Decision decision{Decision::Kind::kMiss, MissReason::kUnsupported, 0};
  begin_request();
  player_->miss(request, decision, what);
  note(request, HistoryOutcome::kMissed, decision, 0);
  reset_error_ = ECONNREFUSED;
  end();
}

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
  if (is_intercepted(view().uri) && terms_.policy != UpstreamPolicy::kAtConnect) return;
  decision_.kind = Decision::Kind::kForward;
  if (!keeps_raw_) raw_ = write_request(request_parser_.request());
  begin_exchange(/*records=*/false);
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
  if (request_parser_.is_connect()) return open_tunnel(write_request(request_parser_.request()));
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
  std::string answer = player_->miss(view(), decision, detail);
  note(view(), HistoryOutcome::kMissed, decision, terms_.reset_on_miss ? 0 : kMissStatus);
  if (terms_.reset_on_miss) {
    reset_error_ = ECONNRESET;
    end();
    return;
  }
  std::string_view bytes = answer;
  if (request_parser_.request().method == "HEAD")
    bytes = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
  to_program_.add_copy(bytes);
  if (decision.reason == MissReason::kBadRequest || !request_parser_.keep_alive()) end();
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
  const bool tunnel = !exchange_.records;
  const int status = response_parser_.response().status;
  note_exchange();
  if (tunnel && !response_parser_.switched_protocol()) {
    log(LogLevel::kWarn, place() + ": the proxy refuses a tunnel, with status " +
                             std::to_string(status) + ": not recorded");
  } else if (tunnel && is_intercepted(view().uri)) {
    open_tunnel({});
  } else if (response_parser_.switched_protocol()) {
    relay(tunnel ? std::string_view() : "the connection switched protocols");
  }
}

void Conversation::record_response() {
  if (!exchange_.records) return;
  if (response_parser_.switched_protocol()) return;
  Interaction interaction;
  interaction.request = request_parser_.request();
  interaction.request_has_body = !interaction.request.body.empty();
  interaction.uri = format_uri(view().uri);
  interaction.response = response_parser_.response();
  if (exchange_.pieces.size() > 1) interaction.chunks = exchange_.pieces;
  interaction.recorded_at = began_ / 1000;
  // Told and counted by the player; the program gets its answer in any case.
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

void Conversation::note_piece(std::uint64_t before, std::uint64_t after) {
  if (after <= before) return;
  auto milliseconds =
      static_cast<std::uint32_t>((steady_now() - exchange_.began_steady) / 1'000'000);
  std::vector<Piece>& pieces = exchange_.pieces;
  if (pieces.empty() || milliseconds - pieces.back().milliseconds >= kPieceMilliseconds) {
    pieces.push_back({before, milliseconds});
  }
}

// --- ends ------------------------------------------------------------------------------------------

void Conversation::relay(std::string_view why) {
  if (!why.empty()) {
    log(LogLevel::kWarn, place() + ": " + std::string(why) + ": relayed, not recorded");
  }
  phase_ = Phase::kRelay;
  note_exchange();
  raw_.clear();
}

void Conversation::refuse(std::string_view what) {
  log(LogLevel::kWarn, place() + ": connection refused: " + std::string(what) +
                           " (ignore-hosts lets a host through)");
  reset_error_ = ECONNREFUSED;
  end();
}

void Conversation::end() {
  phase_ = Phase::kEnded;
  note_exchange();
  ends_program_ = true;
  ends_upstream_ = true;
  to_upstream_.clear();
  input_.clear();
  raw_.clear();
}

// --- what is to be done ----------------------------------------------------------------------------

Output& Conversation::to_program() {
  if (channel_) channel_->pump(to_program_, to_upstream_, steady_now());
  return to_program_;
}

Output& Conversation::to_upstream() {
  if (channel_) channel_->pump(to_program_, to_upstream_, steady_now());
  return to_upstream_;
}

Output::Time Conversation::next_due() const {
  return channel_ && to_program_.empty() ? channel_->next_due() : to_program_.next_due();
}

bool Conversation::ends_program() const {
  return channel_ ? channel_->ends_program() : ends_program_;
}
bool Conversation::ends_upstream() const {
  return channel_ ? channel_->ends_upstream() : ends_upstream_;
}
int Conversation::reset_error() const { return channel_ ? channel_->reset_error() : reset_error_; }
bool Conversation::exchanging() const { return channel_ ? channel_->exchanging() : exchange_.active; }

std::int64_t Conversation::patience() const {
  if (channel_) return channel_->patience();
  if (phase_ != Phase::kSniffing || program_finished_) return 0;
  if (!input_.empty()) return kLinePatience;
  return terms_.may_relay ? 0 : kSilencePatience;
}

bool Conversation::answers_inline() const {
  if (channel_) {
    return channel_->answers_inline() && to_upstream_.empty() && !program_finished_ &&
           to_program_.size() < kEnough;
  }
  return phase_ != Phase::kRelay && !exchange_.active && to_upstream_.empty() &&
         !program_finished_ && to_program_.size() < kEnough;
}

bool Conversation::wants_program() const {
  if (channel_ && !channel_->wants_program()) return false;
  return !program_finished_ && to_upstream_.size() < kEnough && input_.size() < kEnough;
}

bool Conversation::wants_upstream() const {
  return to_program_.size() < kEnough && (!channel_ || channel_->wants_upstream());
}

Origin Conversation::origin() const { return {terms_.scheme, terms_.host, terms_.port}; }

RequestView Conversation::view() const {
  const RequestMessage& request = request_parser_.request();
  return {request.method, request_uri(request, origin()), &request.headers, request.body};
}

std::string Conversation::place() const { return terms_.host + ":" + std::to_string(terms_.port); }

}  // namespace cassette
