// See conversation.h. Must not know a descriptor.
#include "preload/engine/conversation/conversation.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "parser/client_hello.h"
#include "preload/engine/clock.h"
#include "store/player/request_note.h"

namespace cassette {

namespace {

/// Of a first line, and where a line that was cut too early would be let out as another protocol.
constexpr std::int64_t kLinePatience = 300'000'000;
constexpr std::int64_t kLongLinePatience = 3'000'000'000;

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
  greeting_ = Greeting::kNotAwaited;
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
  if (greeting_ == Greeting::kAwaited && speaks_http()) return greeting_failed(0);
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
  if (greeting_ == Greeting::kAwaited) return greeting_failed(error);
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
  if (phase_ != Phase::kSniffing) return;
  if (input_.empty()) {
    silence_passed();
  } else if (settle_protocol(/*complete=*/true)) {
    work();
  }
}

// --- the program's side ----------------------------------------------------------------------------

void Conversation::work() {
  for (;;) {
    if (phase_ == Phase::kSniffing) {
      if (input_.empty() || !settle_protocol(program_finished_)) break;
      stop_awaiting();
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
  } else if (phase_ == Phase::kSniffing && waits_for_server()) {
    ends_upstream_ = true;  // the server alone speaks, if anybody
  } else if (request_parser_.in_message() && terms_.policy == UpstreamPolicy::kAtConnect) {
    to_upstream_.add_copy(raw_);  // the server gets what it would have got
    relay("the program closed within a request");
    ends_upstream_ = true;
  } else {
    end();
  }
}

// --- ends ------------------------------------------------------------------------------------------

void Conversation::relay(std::string_view why) {
  if (!why.empty()) player_->relayed(place(), why);
  phase_ = Phase::kRelay;
  greeting_ = Greeting::kNotAwaited;
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
  greeting_ = Greeting::kNotAwaited;
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
  if (phase_ != Phase::kSniffing || program_gone_) return 0;
  if (input_.empty()) return silence_patience();
  return may_forward() && hello_ == nullptr ? kLinePatience : kLongLinePatience;
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
