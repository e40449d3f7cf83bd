// What the player of a session plays: see session_player.h.
#include "store/player/session_player.h"

#include <cstring>
#include <exception>
#include <optional>

#include "parser/response_parser.h"
#include "store/log.h"
#include "store/player/candidates.h"
#include "store/player/diagnosis.h"

namespace cassette {

namespace {

constexpr char kOutOfMemory[] =
    "HTTP/1.1 599 Cassette Miss\r\nX-Cassette-Miss: out of memory\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

bool is_head(std::string_view method) { return method == "HEAD"; }

}  // namespace

UpstreamPolicy SessionPlayer::upstream_policy(std::string_view host, std::uint16_t port) const {
  if (!may_forward()) return UpstreamPolicy::kNever;
  if (settings_.mode == RecordMode::kNewEpisodes && image_.answers_for(host, port)) {
    return UpstreamPolicy::kOnDemand;
  }
  return UpstreamPolicy::kAtConnect;
}

Decision SessionPlayer::decide(const RequestView& request) {
  using Kind = Decision::Kind;
  if (cursors_.ended()) return {Kind::kMiss, MissReason::kSessionEnded, 0};
  if (!plays_) return {Kind::kForward, MissReason::kNone, 0};
  if (settings_.mode == RecordMode::kNone && !image_.existed()) {
    return {Kind::kMiss, MissReason::kNoCassette, 0};
  }

  const Candidates candidates(image_, matcher_, request);
  const Turn turn = take(candidates);
  if (turn.kind == Turn::Kind::kPlay) {
    Decision decision{Kind::kReplay, MissReason::kNone, turn.interaction};
    if (candidates.differs_in_secret(turn.interaction)) tell_difference(request, decision);
    return decision;
  }
  // What is known and comes later is out of order in any mode; what is new may be recorded.
  if (turn.kind == Turn::Kind::kOutOfSequence) {
    return {Kind::kMiss, MissReason::kOutOfSequence, turn.interaction};
  }
  if (may_forward()) return {Kind::kForward, MissReason::kNone, 0};
  if (turn.kind == Turn::Kind::kUsedUp) {
    return {Kind::kMiss, MissReason::kUsedUp, turn.interaction};
  }
  if (settings_.order == Order::kSequential && turn.interaction < image_.size()) {
    return {Kind::kMiss, MissReason::kOutOfSequence, turn.interaction};
  }
  return {Kind::kMiss, MissReason::kNoSuchRequest, 0};
}

template <typename Accepts>
Turn SessionPlayer::take_of(const Image::Group& group, bool repeats, Accepts accepts) {
  switch (settings_.order) {
    case Order::kSequential:
      return cursors_.take_in_sequence(image_, group, repeats, accepts);
    case Order::kFirst:
      return cursors_.take_first(image_, group, accepts);
    case Order::kMatched:
      break;
  }
  return cursors_.take_matched(image_, group, repeats, accepts);
}

/// The turn of one of the candidates, in the order of the settings.
Turn SessionPlayer::take(const Candidates& candidates) {
  auto any = [](std::uint32_t) { return true; };
  auto choosy = [&candidates](std::uint32_t i) { return candidates.accepts(i); };
  auto take_one = [&](const Image::Group& group, bool repeats) {
    return candidates.are_choosy() ? take_of(group, repeats, choosy) : take_of(group, repeats, any);
  };
  if (settings_.order == Order::kSequential)
    return take_one(candidates.of_key(), settings_.allow_playback_repeats);
  for (const Image::Group& group : candidates) {
    const Turn turn = take_one(group, false);
    if (turn.kind == Turn::Kind::kPlay) return turn;
  }
  return take_one(candidates.all(), settings_.allow_playback_repeats);
}

/// That the answer may be meant for another one. Usual where credentials are new in each run, so it is no warning.
void SessionPlayer::tell_difference(const RequestView& request, Decision& decision) const {
  decision.differs_in_secret = true;
  if (!log_enabled(LogLevel::kInfo)) return;
  log(LogLevel::kInfo, std::string(request.method) + " " +
                           redactor_.redact_uri(format_uri(request.uri)) +
                           ": answered by interaction " + std::to_string(decision.interaction + 1) +
                           ", which differs in a redacted value; none has the same");
}

Decision SessionPlayer::refused_tunnel(const RequestView& request) {
  if (cursors_.ended() || !plays_ || request.headers == nullptr) return {};
  const Image::Group group = image_.find(matcher_.key(request));
  if (group.count == 0) return {};
  constexpr std::string_view kCredentials = "Proxy-Authorization";
  const bool has_credentials = request.headers->find(kCredentials).has_value();
  auto accepts = [&](std::uint32_t interaction) {
    if (image_.method(interaction) != request.method) return false;
    Headers recorded;
    image_.request_headers(interaction, recorded);
    return recorded.find(kCredentials).has_value() == has_credentials;
  };
  const Turn turn = take_of(group, settings_.allow_playback_repeats, accepts);
  if (turn.kind != Turn::Kind::kPlay) return {};
  return {Decision::Kind::kReplay, MissReason::kNone, turn.interaction};
}

Decision SessionPlayer::refuses_body(const RequestView& request) {
  if (cursors_.ended() || !plays_) return {};
  const Candidates candidates(image_, matcher_, request);
  const Image::Group& group = candidates.all();
  std::uint32_t next = image_.size();
  for (std::uint32_t i = 0; i < group.count && next == image_.size(); ++i) {
    const std::uint32_t member = image_.member(group, i);
    if (member < image_.size() && !cursors_.used_up(image_, member) && candidates.accepts(member))
      next = member;
  }
  if (next == image_.size() || !image_.answers_before_body(next)) return {};
  // Another thread may have taken it meanwhile, or it is not its turn in a sequence: then the body is to come.
  const Turn turn = take_of(group, false, [next](std::uint32_t i) { return i == next; });
  if (turn.kind != Turn::Kind::kPlay) return {};
  return {Decision::Kind::kReplay, MissReason::kNone, turn.interaction};
}

std::string_view SessionPlayer::failure_of(const RequestView& place) {
  if (image_.answers_for(place.uri.host, place.uri.port)) return {};
  if (image_.find(matcher_.key(place)).count == 0) return {};
  const Decision decision = decide(place);
  const bool known =
      decision.kind == Decision::Kind::kReplay ||
      (decision.kind == Decision::Kind::kMiss &&
       (decision.reason == MissReason::kUsedUp || decision.reason == MissReason::kOutOfSequence));
  return known && decision.interaction < image_.size() ? image_.error(decision.interaction)
                                                       : std::string_view();
}

PlayedResponse SessionPlayer::response(std::uint32_t interaction, const ResponseTarget& target,
                                       std::string& scratch) const {
  PlayedResponse played;
  played.error = image_.error(interaction);
  if (!played.error.empty()) return played;
  bool recorded_head = is_head(image_.method(interaction));
  if (!target.http_1_0 && recorded_head == target.head_request) {
    played.bytes = image_.wire(interaction);
    played.close_after = image_.close_after(interaction);
    played.end = image_.end(interaction);
    played.pieces = image_.pieces(interaction);
    return played;
  }
  if (!target.http_1_0 && target.head_request) {
    played.bytes = image_.wire_head(interaction);
    played.close_after = image_.close_after_head(interaction);
    played.pieces = image_.pieces(interaction);
    return played;
  }
  // Rare: a peer that cannot read what was rendered. It is taken apart and written anew, without what is
  // informational (RFC 9110 section 15.2). What was cut short ends with the connection as it is.
  played.end = image_.end(interaction);
  const bool cut_short = played.end != ResponseEnd::kWhole;
  ResponseParser parser;
  parser.expect_response_to(recorded_head ? "HEAD" : "GET");
  std::string_view rest = image_.wire(interaction);
  for (;;) {
    ParseProgress progress = parser.feed(rest);
    rest.remove_prefix(progress.consumed);
    if (progress.event == ParseEvent::kHeaders) continue;
    if (progress.event == ParseEvent::kComplete && parser.interim()) continue;
    const bool has_ended = progress.event == ParseEvent::kNeedMore;
    if (has_ended && parser.finish() == ParseEvent::kError && !cut_short) {
      played.error = "ECONNRESET";
      return played;
    }
    if (progress.event == ParseEvent::kError) {
      played.error = "ECONNRESET";
      return played;
    }
    break;
  }
  ResponseTarget anew = target;
  anew.cut_short = cut_short;
  WireResponse wire = write_response(parser.response(), anew);
  scratch = std::move(wire.bytes);
  played.bytes = scratch;
  played.close_after = wire.close_after || image_.close_after(interaction);
  return played;
}

std::string SessionPlayer::miss(const RequestView& request, const Decision& decision,
                                std::string_view detail) try {
  return miss(diagnose(request, decision, detail));
} catch (const std::exception&) {
  cursors_.count_miss();
  return kOutOfMemory;
}

std::string SessionPlayer::miss(const Miss& miss) {
  cursors_.count_miss();
  try {
    log(LogLevel::kWarn, miss_line(miss));
    return miss_response(miss, miss.reason == MissReason::kBadRequest);
  } catch (const std::exception&) {
    return kOutOfMemory;
  }
}

Miss SessionPlayer::diagnose(const RequestView& request, const Decision& decision,
                             std::string_view detail) const {
  Miss miss;
  miss.cassette = path_;
  miss.mode = settings_.mode;
  miss.method = request.method;
  miss.uri = redactor_.redact_uri(format_uri(request.uri));
  miss.reason = decision.reason;
  miss.detail = detail;
  if (decision.reason == MissReason::kSessionEnded) miss.detail = ended().message;
  if (decision.reason == MissReason::kOutOfSequence && decision.interaction < image_.size()) {
    miss.closest = compare(image_, matcher_, decision.interaction, request);
    miss.expected = true;
  } else if (decision.reason == MissReason::kNoSuchRequest ||
             decision.reason == MissReason::kUsedUp) {
    miss.closest = find_closest(image_, cursors_, matcher_, request);
  }
  if (miss.closest) {
    std::uint32_t closest = miss.closest->interaction;
    // Counted from 1, as `cassette list` and `show` do.
    miss.closest_name = "#" + std::to_string(closest + 1) + " " +
                        std::string(image_.method(closest)) + " " +
                        redactor_.redact_uri(image_.uri(closest));
  }
  return miss;
}

Result<std::uint32_t> SessionPlayer::index() {
  if (cursors_.ended()) return ended();
  return cursors_.index(image_);
}

Result<std::uint32_t> SessionPlayer::advance(bool plays) {
  if (cursors_.ended()) return ended();
  return cursors_.advance(image_, plays);
}

Result<void> SessionPlayer::rewind() {
  if (cursors_.ended()) return ended();
  cursors_.rewind();
  return {};
}

std::shared_ptr<Player> Player::open(const Settings& settings, std::string path,
                                     std::shared_ptr<Session> session, OpenCassette cassette) {
  return std::make_shared<SessionPlayer>(settings, std::move(path), std::move(session),
                                         std::move(cassette));
}

}  // namespace cassette
