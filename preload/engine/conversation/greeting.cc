// Servers that speak first (conversation.h), where none was connected to from the start because the cassette answers: a
// program that says nothing for a while may wait for such a one. Then the real server is connected to, without a byte.
// If it speaks, what both say is relayed. If the program does, and it is HTTP, it is answered as ever, and the connection
// is ended again. Must send nothing.
#include <utility>

#include "preload/engine/conversation/conversation.h"

namespace cassette {

namespace {

/// A client of HTTP sends its request when it is connected, within a few milliseconds even on a busy machine. Those that
/// connect in advance are few, and lose nothing by a connection without a byte; whoever waits for a greeting is held up
/// by so much with each connection.
constexpr std::int64_t kGreetingPatience = 250'000'000;

/// Where nothing may go out; and where the cassette has answers of that place, which is HTTP then: a silent program has
/// connected in advance (pools of connections do), unless another server has got the port since.
constexpr std::int64_t kSilencePatience = 3'000'000'000;

}  // namespace

bool Conversation::may_await_greeting() const {
  return terms_.may_relay && terms_.policy != UpstreamPolicy::kAtConnect;
}

bool Conversation::speaks_http() const { return player_->answers_for(terms_.host, terms_.port); }

std::int64_t Conversation::silence_patience() const {
  if (!terms_.may_relay) return kSilencePatience;
  if (!may_await_greeting()) return 0;
  switch (greeting_) {
    case Greeting::kNotAwaited:
      return speaks_http() ? kSilencePatience : kGreetingPatience;
    case Greeting::kAwaited:
      return 0;
    case Greeting::kFailed:
      return speaks_http() ? 0 : kSilencePatience;
  }
  return 0;
}

void Conversation::silence_passed() {
  if (!terms_.may_relay) {
    refuse("the program waits for the server to speak first, which is not HTTP");
  } else if (greeting_ == Greeting::kNotAwaited) {
    greeting_ = Greeting::kAwaited;
  } else {
    reset_error_ = greeting_error_;  // what its connect() would have said
    end();
  }
}

/// The program has closed its side without a word: may the server still say something?
bool Conversation::waits_for_server() const {
  if (terms_.policy == UpstreamPolicy::kAtConnect || greeting_ == Greeting::kAwaited) return true;
  return may_await_greeting() && greeting_ == Greeting::kNotAwaited && !speaks_http();
}

/// The program has spoken. If that is TLS, the channel has the connection, and lets it go when there is HTTP within: a
/// server that is reached only once (FTP's, for data) has it already.
void Conversation::stop_awaiting() {
  lets_upstream_go_ = std::exchange(greeting_, Greeting::kNotAwaited) == Greeting::kAwaited &&
                      phase_ != Phase::kRelay && phase_ != Phase::kChannel;
}

/// The program may speak HTTP yet, and be answered without the server. 0: the server closed the connection.
void Conversation::greeting_failed(int error) {
  greeting_ = Greeting::kFailed;
  greeting_error_ = error;
  lets_upstream_go_ = true;
  if (program_finished_) end();
}

bool Conversation::lets_upstream_go() {
  if (std::exchange(lets_upstream_go_, false)) return to_upstream_.empty();
  if (channel_ == nullptr || !channel_->lets_upstream_go()) return false;
  to_upstream_.clear();
  return true;
}

}  // namespace cassette
