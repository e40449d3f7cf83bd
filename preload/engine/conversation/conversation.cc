// See conversation.h. Must not know a descriptor.
#include "preload/engine/conversation/conversation.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "preload/engine/clock.h"
#include "preload/engine/conversation/secure_channel.h"
#include "store/player/request_note.h"

namespace cassette {

namespace {

constexpr std::int64_t kLinePatience = 300'000'000;
constexpr std::int64_t kSilencePatience = 3'000'000'000;

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
  body_follows_ = false;
  recorded_.reset();
  closes_ = false;
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
  note_closing();
  work();
}

void Conversation::program_gone(bool closed) {
  if (std::exchange(program_gone_, true)) return;
  if (channel_) return channel_->program_gone(closed);
  note_closing();
  give_up(closed);
  if (!input_.empty()) work();  // what was pipelined is sent, as the kernel would have
}

void Conversation::from_upstream(std::string_view bytes) {
  if (channel_) return channel_->from_upstream(bytes);
  if (phase_ == Phase::kSniffing) relay("the server speaks first, which is not HTTP");
  bool again = false;
  while (phase_ == Phase::kHttp && (again || !bytes.empty())) {
    again = false;
    if (!exchange_.active || exchange_.response_complete) {
      if (program_gone_) return;  // an answer that nobody waits for
      relay("the server sent bytes that answer no request");
      break;
    }
    if (!response_parser_.in_message()) note_message_begin();
    std::uint64_t before = response_parser_.in_message() ? response_parser_.body_size() : 0;
    ParseProgress progress = response_parser_.feed(bytes);
    note_piece(before, response_parser_.body_size());
    std::string_view taken = bytes.substr(0, progress.consumed);
    switch (progress.event) {
      case ParseEvent::kError:
        broken_response();
        continue;
      case ParseEvent::kHeaders:
        if (!response_parser_.interim()) note_head();
        again = true;
        break;
      case ParseEvent::kComplete:
        if (response_parser_.interim()) {
          note_informational();
          break;
        }
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
  if (phase_ == Phase::kHeld) return;
  if (exchange_.active && !exchange_.response_complete) {
    if (response_parser_.finish() == ParseEvent::kComplete) {
      record_response();
    } else {
      record_cut(ResponseEnd::kEof, kEofError);
    }
  } else if (phase_ == Phase::kHttp && !exchange_.active) {
    note_upstream_closed();
    if (upstream_over_) return;
  }
  if (exchange_.active && !exchange_.request_complete) {
    // It may listen to the rest of the request all the same.
    relay({});
    ends_program_ = true;
    return;
  }
  end();
}

void Conversation::upstream_failed(int error, bool told) {
  if (channel_) return channel_->upstream_failed(error);
  if (phase_ == Phase::kEnded || phase_ == Phase::kHeld) return;
  if (!told && exchange_.active && !exchange_.response_complete) {
    const char* name = strerrorname_np(error);
    record_cut(ResponseEnd::kReset, name != nullptr ? name : "ECONNRESET");
  } else if (phase_ == Phase::kHttp && !exchange_.active) {
    note_upstream_closed();
  }
  reset_error_ = error;
  end();
}

void Conversation::program_exits() {
  if (channel_) return channel_->program_exits();
  program_gone(/*closed=*/false);
  if (!exchange_.active) return;
  if (!exchange_.response_complete) record_what_came();
  note_exchange();
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
  if (phase_ == Phase::kRelay || exchange_.active || program_gone_) {
    ends_upstream_ = true;  // a half-close: the server may still answer
  } else if (phase_ == Phase::kHeld) {
    return;
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
    case Protocol::kNearlyHttp:
      if (may_forward) {
        relay("the first line is no request line of HTTP/1");
      } else {
        miss_first_line();
      }
      break;
    case Protocol::kTls:
      settle_tls();
      break;
    case Protocol::kSocks:
      // Never let out where only recordings are played: there is HTTP behind it, mostly.
      if (may_forward) {
        relay("this is SOCKS, and an HTTP proxy alone is looked into");
      } else {
        refuse("this is SOCKS, which is not replayed");
      }
      break;
    case Protocol::kOther:
      if (terms_.may_relay) {
        relay("this is not HTTP");
      } else {
        refuse("this is not HTTP, and mode none lets nothing out");
      }
      break;
  }
  return true;
}

void Conversation::settle_tls() {
  const TlsSupport* support = terms_.tls != nullptr && !terms_.within_tls ? &terms_.tls() : nullptr;
  if (support != nullptr && support->api != nullptr) {
    phase_ = Phase::kChannel;
    channel_ = std::make_unique<SecureChannel>(deck_, terms_, *support);
    return;
  }
  // Never let out: what is inside could have been recorded or replayed.
  refuse_protocol("TLS",
                  support != nullptr ? support->problem.c_str() : "TLS within TLS is not handled");
}

/// A miss of what the request parser would refuse, or wait for the rest of.
void Conversation::miss_first_line() {
  const RequestMessage line = request_of_line(input_);
  const RequestView request{line.method, request_uri(line, origin()), &line.headers, {}};
  begin_request();
  answer_miss(request, {Decision::Kind::kMiss, MissReason::kBadRequest, 0},
              "the first line is no request line of HTTP/1");
  end();
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

// --- ends ------------------------------------------------------------------------------------------

void Conversation::relay(std::string_view why) {
  if (!why.empty()) player_->relayed(place(), why);
  phase_ = Phase::kRelay;
  note_exchange();
  raw_.clear();
}

void Conversation::refuse(std::string_view what) {
  player_->refused(place(), what);
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
bool Conversation::exchanging() const {
  return channel_ ? channel_->exchanging() : exchange_.active;
}

std::int64_t Conversation::patience() const {
  if (channel_) return channel_->patience();
  if (phase_ != Phase::kSniffing || program_finished_) return 0;
  // A line that was cut too early would be let out as another protocol.
  const bool replays = terms_.policy == UpstreamPolicy::kNever;
  if (!input_.empty()) return replays ? kSilencePatience : kLinePatience;
  return terms_.may_relay ? 0 : kSilencePatience;
}

bool Conversation::answers_inline() const {
  if (channel_) {
    return channel_->answers_inline() && to_upstream_.empty() && !program_finished_ &&
           to_program_.size() < kEnough;
  }
  // Also where a server gets the bytes: a program that aborts behind its send() has sent them.
  const bool answer_first = exchange_.active && exchange_.request_complete;
  return !answer_first && to_upstream_.empty() && !program_finished_ &&
         to_program_.size() < kEnough;
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
