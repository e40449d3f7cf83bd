// How a recorded answer, or a miss, is given to the program (conversation.h): when each piece of it goes out, and
// what comes behind it. Must not decide which answer that is.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "preload/engine/clock.h"
#include "preload/engine/conversation/conversation.h"

namespace cassette {

namespace {

constexpr int kMissStatus = 599;

/// Between the pieces of an answer that the program left, at full speed: in one piece with all the others, what made it
/// leave (a line that its own reader did not want any more) would not be noticed.
constexpr Output::Time kOpenGap = 10'000'000;
/// In front of the last of them, behind which nothing else can make it leave.
constexpr Output::Time kLastGap = 100'000'000;

/// The errno that a cassette names, e.g. "ECONNRESET"; ECONNRESET when nobody knows the name.
int errno_of(std::string_view name) {
  constexpr int kHighest = 133;
  for (int number = 1; number <= kHighest; ++number) {
    const char* known = strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  return ECONNRESET;
}

}  // namespace

void Conversation::play(const Decision& decision) {
  const RequestMessage& request = request_parser_.request();
  ResponseTarget target;
  target.head_request = request.method == "HEAD";
  target.http_1_0 = request.version.major == 1 && request.version.minor == 0;
  PlayedResponse response = player_->response(decision.interaction, target, scratch_);
  note(view(), HistoryOutcome::kReplayed, decision, 0);
  if (response.error == kSilenceError) return hold();
  if (!response.error.empty()) {
    if (response.error != kEofError) reset_error_ = errno_of(response.error);
    return end();
  }
  begin_playing(response);
  play_on(Piece::kWholeRequest);
  finish_playing();
}

/// At the head of a request whose body is still to come: an answer that began before the body was complete begins now.
/// False: it is not such a one.
bool Conversation::play_early() {
  if (!player_->has_early_answers() || request_parser_.is_connect()) return false;
  if (!request_parser_.announces_body() || !player_->answers_early(view())) return false;
  if (!decided_) decide();
  if (decision_.kind != Decision::Kind::kReplay) return false;
  ResponseTarget target;
  target.http_1_0 = request_parser_.request().version == HttpVersion{1, 0};
  PlayedResponse response = player_->response(decision_.interaction, target, scratch_);
  if (response.pieces.empty() || response.pieces.front().request_bytes == Piece::kWholeRequest) {
    return false;
  }
  note(view(), HistoryOutcome::kReplayed, decision_, 0);
  if (request_parser_.expects_continue()) to_program_.add_view(kContinue);
  begin_playing(response);
  play_on(0);
  return true;
}

void Conversation::begin_playing(const PlayedResponse& response) {
  const bool waits = terms_.replay_speed > 0 || response.end == ResponseEnd::kOpen;
  const Output::Time now = waits && !response.pieces.empty() ? steady_now() : 0;
  playing_ = {true, response, 0, now, 0};
}

/// Queues what goes out when so much of the request's body is there.
void Conversation::play_on(std::uint64_t request_bytes) {
  const PlayedResponse& response = playing_.response;
  const bool in_scratch = response.bytes.data() == scratch_.data();
  auto add = [&](std::string_view bytes, Output::Time due) {
    in_scratch ? to_program_.add_copy(bytes, due) : to_program_.add_view(bytes, due);
  };
  const std::span<const Piece> pieces = response.pieces;
  // Nothing to wait for.
  if (pieces.empty() ||
      (playing_.began == 0 && playing_.next == 0 && request_bytes == Piece::kWholeRequest)) {
    return add(response.bytes, 0);
  }
  for (; playing_.next < pieces.size(); ++playing_.next) {
    const std::size_t i = playing_.next;
    if (pieces[i].request_bytes > request_bytes) return;
    const std::size_t size = response.bytes.size();
    const std::size_t begin = i == 0 ? 0 : std::min<std::uint64_t>(pieces[i].offset, size);
    const std::size_t end =
        i + 1 < pieces.size() ? std::min<std::uint64_t>(pieces[i + 1].offset, size) : size;
    if (terms_.replay_speed > 0) {
      const double wait = pieces[i].milliseconds * 1e6 / terms_.replay_speed;
      playing_.last = playing_.began + static_cast<Output::Time>(wait);
    } else if (playing_.began != 0 && i > 0) {
      playing_.last =
          std::max(playing_.last, steady_now()) + (i + 1 < pieces.size() ? kOpenGap : kLastGap);
    }
    if (begin < end) add(response.bytes.substr(begin, end - begin), playing_.last);
  }
}

/// What comes behind it.
void Conversation::finish_playing() {
  playing_.active = false;
  const PlayedResponse& response = playing_.response;
  switch (response.end) {
    case ResponseEnd::kOpen:
      return hold();
    case ResponseEnd::kReset:
      reset_error_ = ECONNRESET;
      return end();
    case ResponseEnd::kEof:
      return end();
    case ResponseEnd::kWhole:
      if (response.close_after || !request_parser_.keep_alive()) end();
      return;
  }
}

/// Nothing more is said, and the connection stays open until the program leaves.
void Conversation::hold() {
  phase_ = Phase::kHeld;
  input_.clear();
  raw_.clear();
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

}  // namespace cassette
