// See tunnel.h. Must not know a descriptor.
#include "preload/engine/conversation/tunnel.h"

#include <cerrno>
#include <utility>

#include "store/log.h"

namespace cassette {

namespace {

/// What is due, from a conversation inside to the connection outside.
void move(Output& from, Output& to, Output::Time now) {
  for (auto front = from.front(now); !front.empty(); front = from.front(now)) {
    to.add_copy(front);
    from.consume(front.size());
  }
}

}  // namespace

Tunnel::Tunnel(Deck& deck, Conversation::Terms terms, std::string request)
    : inner_(deck, terms),
      phase_(request.empty() ? Phase::kOpen : Phase::kNotAsked),
      place_(terms.host + ":" + std::to_string(terms.port)),
      request_(std::move(request)) {
  ask_anew();
}

/// With another connection to the proxy.
void Tunnel::ask_anew() {
  if (!request_.empty()) phase_ = Phase::kNotAsked;
  answer_ = ResponseParser();
  answer_.expect_response_to("CONNECT");
}

void Tunnel::from_upstream(std::string_view bytes) {
  while (phase_ == Phase::kAsked && !bytes.empty()) {
    const ParseProgress progress = answer_.feed(bytes);
    bytes.remove_prefix(progress.consumed);
    if (progress.event == ParseEvent::kError) {
      log(LogLevel::kError, place_ + ": the proxy's answer is malformed: " + answer_.error());
      return inner_.upstream_failed(ECONNRESET);
    }
    if (progress.event != ParseEvent::kHeaders || answer_.interim()) continue;
    const int status = answer_.response().status;
    if (status / 100 != 2) {
      log(LogLevel::kError,
          place_ + ": the proxy refuses the tunnel, with status " + std::to_string(status));
      return inner_.upstream_failed(ECONNREFUSED);
    }
    phase_ = Phase::kOpen;
  }
  if (phase_ == Phase::kOpen && !bytes.empty()) inner_.from_upstream(bytes);
}

void Tunnel::upstream_finished() {
  if (phase_ == Phase::kAsked) return inner_.upstream_failed(ECONNRESET);
  inner_.upstream_finished();
}

void Tunnel::pump(Output& to_program, Output& to_upstream, Output::Time now) {
  move(inner_.to_program(), to_program, now);
  if (phase_ == Phase::kNotAsked && inner_.needs_upstream()) {
    to_upstream.add_copy(request_);
    phase_ = Phase::kAsked;
  }
  if (phase_ == Phase::kOpen) move(inner_.to_upstream(), to_upstream, now);
}

bool Tunnel::ends_program() const { return inner_.ends_program() && inner_.to_program().empty(); }
bool Tunnel::ends_upstream() const {
  if (!inner_.ends_upstream()) return false;
  return !inner_.needs_upstream() || (phase_ == Phase::kOpen && inner_.awaits_greeting());
}
bool Tunnel::lets_upstream_go() {
  if (!inner_.lets_upstream_go() || request_.empty()) return false;
  ask_anew();
  return true;
}
int Tunnel::reset_error() const { return inner_.to_program().empty() ? inner_.reset_error() : 0; }

}  // namespace cassette
