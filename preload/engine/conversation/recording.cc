// What is recorded of an exchange with the real server (conversation.h): the whole answer, how it came, how it ended,
// and what there is when it never became whole. Must not write to either side.
#include <algorithm>
#include <utility>

#include "preload/engine/clock.h"
#include "preload/engine/conversation/conversation.h"

namespace cassette {

namespace {

/// Pieces that arrived closer together than this are one piece: a body that came at once has none, and a server that
/// answers at once gives the same bytes each time it is recorded.
constexpr std::uint32_t kPieceMilliseconds = 10;

/// A close that comes so soon behind an answer is a part of it: a server's own doing, not the end of its patience with
/// an idle connection, of which no server that is in use has less than a second.
constexpr std::int64_t kRightBehind = 250'000'000;

/// A program that leaves sooner has not waited for its answer.
constexpr std::int64_t kWaited = 50'000'000;

}  // namespace

std::uint32_t Conversation::milliseconds_since_sent() const {
  return static_cast<std::uint32_t>((steady_now() - exchange_.sent) / 1'000'000);
}

void Conversation::note_message_begin() {
  exchange_.has_begun = true;
  exchange_.message_began = milliseconds_since_sent();
}

/// Of the final response.
void Conversation::note_head() {
  exchange_.has_head = true;
  exchange_.first_byte = exchange_.message_began;
}

void Conversation::note_informational() {
  const ResponseMessage& response = response_parser_.response();
  if (response.status == 100 && request_parser_.expects_continue() && !exchange_.continued) {
    // The program gets one in replay as well. The answer is still to begin.
    exchange_.continued = true;
    exchange_.has_begun = exchange_.request_complete;
    return;
  }
  exchange_.informational.push_back(
      {response.status, response.reason, response.headers, exchange_.message_began});
}

void Conversation::note_piece(std::uint64_t before, std::uint64_t after) {
  if (after <= before) return;
  Piece piece{before, milliseconds_since_sent()};
  if (!exchange_.request_complete) piece.request_bytes = request_parser_.body_size();
  Course& course = exchange_.course;
  course.newest = piece;
  course.size = after;
  const Piece* last = course.pieces.empty() ? nullptr : &course.pieces.back();
  if (last == nullptr || piece.milliseconds - last->milliseconds >= kPieceMilliseconds ||
      piece.request_bytes != last->request_bytes) {
    course.pieces.push_back(piece);
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

/// Nothing is to be said about when the body came.
bool Conversation::came_with_head() const {
  const std::vector<Piece>& pieces = exchange_.course.pieces;
  return pieces.size() == 1 && pieces[0].request_bytes == Piece::kWholeRequest &&
         pieces[0].milliseconds - exchange_.first_byte < kPieceMilliseconds;
}

/// The whole response.
void Conversation::record_response() {
  if (!exchange_.records || response_parser_.switched_protocol()) return;
  Interaction interaction = this->interaction();
  interaction.response = response_parser_.response();
  if (!came_with_head()) interaction.chunks = exchange_.course.pieces;
  record(std::move(interaction));
}

/// What there is of a response that never became whole, by the rules of docs/cassettes.md. Without a head there is
/// nothing of one, and the error is the answer. `end` is what the program saw, had it not left before.
void Conversation::record_cut(ResponseEnd end, std::string_view error) {
  if (!exchange_.records) return;
  if (exchange_.seen && !exchange_.saw_head) return record_error(kSilenceError);
  if (!exchange_.has_head) return record_error(error);
  Interaction interaction = this->interaction();
  interaction.response = response_parser_.response();
  interaction.response.trailers.clear();
  interaction.end = end;
  if (exchange_.seen) {
    Course course = *std::move(exchange_.seen);
    interaction.end = ResponseEnd::kOpen;
    interaction.response.body.resize(static_cast<std::size_t>(course.size));
    // What made the program leave is in the newest, however close it came to the one before.
    if (!course.pieces.empty() && course.pieces.back().offset != course.newest.offset) {
      course.pieces.push_back(course.newest);
    }
    interaction.chunks = std::move(course.pieces);
  } else if (!came_with_head()) {
    interaction.chunks = exchange_.course.pieces;
  }
  record(std::move(interaction));
}

void Conversation::record_error(std::string_view error) {
  if (end_announced_) return;  // nobody answers behind the last answer, in replay either
  Interaction interaction = this->interaction();
  interaction.error = error;
  record(std::move(interaction));
}

/// Told and counted by the player; the program gets its answer in any case.
void Conversation::record(Interaction interaction) {
  if (interaction.error.empty()) {
    interaction.informational = std::move(exchange_.informational);
    if (exchange_.first_byte >= kPieceMilliseconds) {
      interaction.first_byte_milliseconds = exchange_.first_byte;
    }
    for (InformationalResponse& each : interaction.informational) {
      if (each.milliseconds < kPieceMilliseconds) each.milliseconds = 0;
    }
  }
  auto recorded = player_->record(std::move(interaction));
  exchange_.recorded = recorded && *recorded;
  if (!exchange_.recorded) return;
  recorded_ = **recorded;
  recorded_at_ = steady_now();
}

/// The program has left. An answer that it saw a part of may still become whole, and so may one that it did not wait for
/// at all: which of them it sees is chance.
void Conversation::give_up(bool closed) {
  if (!exchange_.active) return;
  const bool waited = silent_ || (closed && steady_now() - exchange_.sent >= kWaited);
  const bool was_asked = exchange_.request_complete && exchange_.records;
  if (!exchange_.response_complete && (exchange_.has_head || (was_asked && !waited))) {
    exchange_.seen = exchange_.course;
    exchange_.saw_head = exchange_.has_head;
    return;
  }
  if (!exchange_.response_complete) {
    if (was_asked) record_error(kSilenceError);
    if (!exchange_.request_complete) {
      not_recorded("the program went away before its request was complete");
    }
    silent_ = true;
  }
  note_exchange();
}

/// Nobody waits for the rest. What was asked just now, while the process ends, had no time to be answered: that is no
/// silence.
void Conversation::record_what_came() {
  if (exchange_.has_head || steady_now() - exchange_.sent >= kWaited) {
    return record_cut(ResponseEnd::kOpen, kSilenceError);
  }
  not_recorded("the process ended before it could be answered");
}

/// Between two requests.
void Conversation::note_upstream_closed() {
  if (end_announced_ || program_finished_) return;
  closes_ = recorded_ && input_.empty() && !request_parser_.in_message() &&
            steady_now() - recorded_at_ <= kRightBehind;
  // The program finds the end when it looks. A request that it sends without looking meets it.
  if (terms_.policy != UpstreamPolicy::kAtConnect) return;
  upstream_over_ = ends_program_ = ends_upstream_ = true;
}

/// The program sends nothing more behind an answer that was recorded: how it ended is known.
void Conversation::note_closing() {
  if (std::exchange(closes_, false)) player_->closed_behind(*recorded_);
}

void Conversation::note(const RequestView& request, HistoryOutcome outcome,
                        const Decision& decision, int status) {
  player_->handled(request,
                   {outcome, decision, status, began_ / 1000, wall_now() - began_, thread_});
}

/// However it ended.
void Conversation::note_exchange() {
  if (!std::exchange(exchange_.active, false)) return;
  bool answered = exchange_.response_complete || (exchange_.recorded && exchange_.has_head);
  note(view(), exchange_.recorded ? HistoryOutcome::kRecorded : HistoryOutcome::kForwarded,
       decision_, answered ? response_parser_.response().status : 0);
}

/// What is not recorded because of the program itself: nothing was asked.
void Conversation::not_recorded(std::string_view why) {
  if (exchange_.records) player_->not_recorded(view(), why);
}

}  // namespace cassette
