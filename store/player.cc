// The player of a usable session: see player.h. What it knows is fixed once it is open; what
// changes is in the cursors, which all processes of the session share.
#include "store/player.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <mutex>
#include <optional>
#include <vector>

#include "parser/response_parser.h"
#include "store/diagnosis.h"
#include "store/journal/journal.h"
#include "store/log.h"
#include "store/session/session.h"

namespace cassette {

namespace {

std::int64_t microseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

bool is_head(std::string_view method) { return method == "HEAD"; }

/// Answers every request with the same reason, and lets nothing out.
class BrokenPlayer final : public Player {
 public:
  BrokenPlayer(std::string problem, std::string path, RecordMode mode,
               std::unique_ptr<Session> session = nullptr)
      : problem_(std::move(problem)),
        path_(std::move(path)),
        mode_(mode),
        session_(std::move(session)) {}

  UpstreamPolicy upstream_policy(std::string_view, std::uint16_t) const override {
    return UpstreamPolicy::kNever;
  }
  bool may_relay() const override { return false; }
  bool decides_at_headers() const override { return false; }
  bool needs_body() const override { return false; }
  Decision decide(const RequestView&) override {
    return {Decision::Kind::kMiss, MissReason::kUnusable, 0};
  }
  PlayedResponse response(std::uint32_t, const ResponseTarget&, std::string&) const override {
    return {};
  }
  bool answers_before_body(std::uint32_t) const override { return false; }
  std::string miss(const RequestView& request, const Decision& decision,
                   std::string_view detail) override {
    Redactor redactor(default_filter_headers(), default_filter_query(), {});
    Miss miss;
    miss.cassette = path_;
    miss.mode = mode_;
    miss.method = request.method;
    miss.uri = redactor.redact_uri(format_uri(request.uri));
    miss.reason = decision.reason;
    miss.detail = detail.empty() ? problem_ : std::string(detail);
    log(LogLevel::kWarn, miss_line(miss));
    return miss_response(miss, decision.reason == MissReason::kBadRequest);
  }
  Result<void> record(Interaction) override { return Error{problem_}; }
  const std::string& cassette_path() const override { return path_; }
  void before_fork() override {}
  void after_fork_in_parent() override {}
  void after_fork_in_child() override {}
  void leave(bool ended_well) override {
    if (session_) session_->leave(ended_well);
  }

 private:
  std::string problem_;
  std::string path_;
  RecordMode mode_;
  std::unique_ptr<Session> session_;  ///< joined before the problem showed
};

/// A session with its opened cassette. In scope `process` a forked child gets one of its own; the
/// old one stays, because responses are views into it.
struct Attached {
  std::unique_ptr<Session> session;
  OpenCassette cassette;
};

class SessionPlayer final : public Player {
 public:
  SessionPlayer(const Settings& settings, std::string_view tree, std::string path)
      : settings_(settings),
        tree_(tree),
        path_(std::move(path)),
        redactor_(settings.filter_headers, settings.filter_query, settings.filter_body),
        matcher_(settings.match_on, redactor_),
        journal_(path_) {}

  /// Joins the session and opens the cassette. `joined` gets the session when it could only be
  /// joined.
  Result<void> attach(std::unique_ptr<Session>* joined = nullptr) const;

  UpstreamPolicy upstream_policy(std::string_view host, std::uint16_t port) const override;
  bool may_relay() const override { return settings_.mode != RecordMode::kNone; }
  bool decides_at_headers() const override { return may_forward() && !needs_body(); }
  bool needs_body() const override { return plays() && matcher_.needs_body(); }
  Decision decide(const RequestView& request) override;
  PlayedResponse response(std::uint32_t interaction, const ResponseTarget& target,
                          std::string& scratch) const override;
  bool answers_before_body(std::uint32_t interaction) const override {
    return image().answers_before_body(interaction);
  }
  std::string miss(const RequestView& request, const Decision& decision,
                   std::string_view detail) override;
  Result<void> record(Interaction interaction) override;
  const std::string& cassette_path() const override { return path_; }

  void before_fork() override {
    mutex_.lock();
    journal_.before_fork();
  }
  void after_fork_in_parent() override {
    journal_.after_fork();
    mutex_.unlock();
  }
  void after_fork_in_child() override;
  void leave(bool ended_well) override;

 private:
  /// In the child of a fork that has to have a session of its own: makes it.
  void renew() const {
    if (stale_.load(std::memory_order_relaxed)) renew_now();
  }
  void renew_now() const;
  /// Acquire, with the release in attach(): what it points to was complete before it was published.
  const Attached& current() const { return *current_.load(std::memory_order_acquire); }
  const Image& image() const { return *current().cassette.image; }
  Cursors& cursors() const { return *current().cassette.cursors; }

  /// DESIGN.md's table of record modes.
  bool may_forward() const {
    if (unusable_.load(std::memory_order_relaxed)) return false;
    switch (settings_.mode) {
      case RecordMode::kOnce:
        return !image().existed();
      case RecordMode::kNewEpisodes:
      case RecordMode::kAll:
      case RecordMode::kRewrite:
        return true;
      case RecordMode::kNone:
      case RecordMode::kOff:
        return false;
    }
    return false;
  }
  bool plays() const {
    if (unusable_.load(std::memory_order_relaxed)) return false;
    return settings_.mode == RecordMode::kNone || settings_.mode == RecordMode::kNewEpisodes ||
           (settings_.mode == RecordMode::kOnce && image().existed());
  }

  const Settings settings_;
  const std::string tree_;
  const std::string path_;
  const Redactor redactor_;
  const Matcher matcher_;
  Journal journal_;

  // Mutable: which session a forked child is in shows with the first question it asks.
  mutable std::atomic<Attached*> current_{nullptr};
  mutable std::atomic<bool> stale_{false};     ///< scope `process`: the session is the parent's
  mutable std::atomic<bool> unusable_{false};  ///< and it could not be given its own
  mutable std::mutex mutex_;                   ///< attached_, leaving
  mutable std::vector<std::unique_ptr<Attached>> attached_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> told_{false};  ///< that recording fails
};

Result<void> SessionPlayer::attach(std::unique_ptr<Session>* joined) const {
  auto session = Session::join(settings_, tree_);
  if (!session) return session.error();
  auto cassette = (*session)->open_cassette(path_);
  if (!cassette) {
    if (joined != nullptr) *joined = std::move(*session);
    return cassette.error();
  }
  auto attached = std::make_unique<Attached>();
  attached->session = std::move(*session);
  attached->cassette = std::move(*cassette);
  attached_.push_back(std::move(attached));
  current_.store(attached_.back().get(), std::memory_order_release);
  return {};
}

void SessionPlayer::renew_now() const {
  std::lock_guard guard(mutex_);
  if (!stale_.load(std::memory_order_relaxed)) return;
  if (auto attached = attach(); !attached) {
    log(LogLevel::kError, attached.error().message);
    unusable_.store(true, std::memory_order_relaxed);
  }
  stale_.store(false, std::memory_order_relaxed);
}

UpstreamPolicy SessionPlayer::upstream_policy(std::string_view host, std::uint16_t port) const {
  renew();
  if (!may_forward()) return UpstreamPolicy::kNever;
  if (settings_.mode == RecordMode::kNewEpisodes && image().answers_for(host, port)) {
    return UpstreamPolicy::kOnDemand;
  }
  return UpstreamPolicy::kAtConnect;
}

Decision SessionPlayer::decide(const RequestView& request) {
  using Kind = Decision::Kind;
  renew();
  const Attached& now = current();
  const Image& image = *now.cassette.image;
  if (!plays()) {
    if (may_forward()) return {Kind::kForward, MissReason::kNone, 0};
    return {Kind::kMiss, MissReason::kUnusable, 0};
  }
  if (settings_.mode == RecordMode::kNone && !image.existed()) {
    return {Kind::kMiss, MissReason::kNoCassette, 0};
  }

  Image::Group group = image.find(matcher_.key(request));
  auto any = [](std::uint32_t) { return true; };
  auto with_headers = [&](std::uint32_t interaction) {
    if (request.headers == nullptr) return true;
    Headers recorded;
    image.request_headers(interaction, recorded);
    return matcher_.headers_match(recorded, *request.headers);
  };
  auto take = [&](auto accepts) {
    Cursors& cursors = *now.cassette.cursors;
    switch (settings_.order) {
      case Order::kSequential:
        return cursors.take_in_sequence(image, group, settings_.allow_playback_repeats, accepts);
      case Order::kFirst:
        return cursors.take_first(image, group, accepts);
      case Order::kMatched:
        break;
    }
    return cursors.take_matched(image, group, settings_.allow_playback_repeats, accepts);
  };
  Turn turn = matcher_.compares_headers() ? take(with_headers) : take(any);

  if (turn.kind == Turn::Kind::kPlay) return {Kind::kReplay, MissReason::kNone, turn.interaction};
  // What is known and comes later is out of order in any mode; what is new may be recorded.
  if (turn.kind == Turn::Kind::kOutOfSequence) {
    return {Kind::kMiss, MissReason::kOutOfSequence, turn.interaction};
  }
  if (may_forward()) return {Kind::kForward, MissReason::kNone, 0};
  if (turn.kind == Turn::Kind::kUsedUp) {
    return {Kind::kMiss, MissReason::kUsedUp, turn.interaction};
  }
  if (settings_.order == Order::kSequential && turn.interaction < image.size()) {
    return {Kind::kMiss, MissReason::kOutOfSequence, turn.interaction};
  }
  return {Kind::kMiss, MissReason::kNoSuchRequest, 0};
}

PlayedResponse SessionPlayer::response(std::uint32_t interaction, const ResponseTarget& target,
                                       std::string& scratch) const {
  const Image& image = this->image();
  PlayedResponse played;
  played.error = image.error(interaction);
  if (!played.error.empty()) return played;
  bool recorded_head = is_head(image.method(interaction));
  if (!target.http_1_0 && recorded_head == target.head_request) {
    played.bytes = image.wire(interaction);
    played.close_after = image.close_after(interaction);
    played.pieces = image.pieces(interaction);
    return played;
  }
  if (!target.http_1_0 && target.head_request) {
    played.bytes = image.wire_head(interaction);
    played.close_after = image.close_after_head(interaction);
    return played;
  }
  // Rare: a peer that cannot read what was rendered. It is taken apart and written anew.
  ResponseParser parser;
  parser.expect_response_to(recorded_head ? "HEAD" : "GET");
  std::string_view rest = image.wire(interaction);
  for (;;) {
    ParseProgress progress = parser.feed(rest);
    rest.remove_prefix(progress.consumed);
    if (progress.event == ParseEvent::kHeaders) continue;
    if (progress.event == ParseEvent::kNeedMore && parser.finish() == ParseEvent::kError) {
      played.error = "ECONNRESET";
      return played;
    }
    if (progress.event == ParseEvent::kError) {
      played.error = "ECONNRESET";
      return played;
    }
    break;
  }
  WireResponse wire = write_response(parser.response(), target);
  scratch = std::move(wire.bytes);
  played.bytes = scratch;
  played.close_after = wire.close_after;
  return played;
}

std::string SessionPlayer::miss(const RequestView& request, const Decision& decision,
                                std::string_view detail) try {
  const Image& image = this->image();
  cursors().count_miss();
  Miss miss;
  miss.cassette = path_;
  miss.mode = settings_.mode;
  miss.method = request.method;
  miss.uri = redactor_.redact_uri(format_uri(request.uri));
  miss.reason = decision.reason;
  miss.detail = detail;
  if (decision.reason == MissReason::kOutOfSequence && decision.interaction < image.size()) {
    miss.closest = compare(image, matcher_, decision.interaction, request);
    miss.expected = true;
  } else if (decision.reason == MissReason::kNoSuchRequest ||
             decision.reason == MissReason::kUsedUp) {
    miss.closest = find_closest(image, cursors(), matcher_, request);
  }
  if (miss.closest) {
    std::uint32_t closest = miss.closest->interaction;
    // Counted from 1, as `cassette list` and `show` do.
    miss.closest_name = "#" + std::to_string(closest + 1) + " " + std::string(image.method(closest)) +
                        " " + redactor_.redact_uri(image.uri(closest));
  }
  log(LogLevel::kWarn, miss_line(miss));
  return miss_response(miss, decision.reason == MissReason::kBadRequest);
} catch (const std::exception&) {
  return "HTTP/1.1 599 Cassette Miss\r\nX-Cassette-Miss: out of memory\r\nContent-Length: 0\r\n"
         "Connection: close\r\n\r\n";
}

Result<void> SessionPlayer::record(Interaction interaction) try {
  redactor_.redact(interaction);
  if (!interaction.recorded_at) interaction.recorded_at = microseconds_now();
  const Attached& now = current();
  JournalRecord record;
  record.session = now.session->token();
  record.mode = settings_.mode;
  record.began = static_cast<std::uint64_t>(*interaction.recorded_at) * 1000;
  record.pid = getpid();
  record.sequence = sequence_.fetch_add(1, std::memory_order_relaxed);
  record.interaction = std::move(interaction);
  auto appended = journal_.append(record);
  if (appended) {
    now.cassette.cursors->count_recorded();
    return {};
  }
  now.cassette.cursors->count_record_failure();
  if (!told_.exchange(true)) {
    log(LogLevel::kError, "not recorded in " + cassette_path() + ": " + appended.error().message);
  }
  return appended;
} catch (const std::exception& problem) {
  cursors().count_record_failure();
  return Error{std::string("not recorded: ") + problem.what()};
}

void SessionPlayer::after_fork_in_child() {
  journal_.after_fork();
  if (settings_.session_scope == SessionScope::kProcess && settings_.session.empty()) {
    // The parent's session shall not live as long as we do; ours is made when it is needed.
    attached_.back()->session->abandon();
    stale_.store(true, std::memory_order_relaxed);
  }
  mutex_.unlock();
}

void SessionPlayer::leave(bool ended_well) {
  std::lock_guard guard(mutex_);
  if (!stale_.load(std::memory_order_relaxed)) attached_.back()->session->leave(ended_well);
}

}  // namespace

std::unique_ptr<Player> Player::broken(std::string problem) {
  return std::make_unique<BrokenPlayer>(std::move(problem), "-", RecordMode::kOnce);
}

std::unique_ptr<Player> Player::open(const Settings& settings, std::string_view tree) try {
  // <pid>-<ns>:<program>:<directory>
  std::string_view rest = tree;
  auto next = [&rest] {
    std::size_t end = std::min(rest.find(':'), rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
  };
  next();
  std::string program(next());
  std::string directory(rest);
  if (program.empty()) program = program_invocation_short_name;
  if (directory.empty()) {
    char here[4096];
    directory = getcwd(here, sizeof here) != nullptr ? here : "/";
  }
  auto path = cassette::cassette_path(settings, program, directory);
  if (!path) {
    log(LogLevel::kError, path.error().message);
    return std::make_unique<BrokenPlayer>(path.error().message, settings.cassette, settings.mode);
  }
  auto player = std::make_unique<SessionPlayer>(settings, tree, *path);
  std::unique_ptr<Session> session;
  if (auto attached = player->attach(&session); !attached) {
    log(LogLevel::kError, attached.error().message);
    return std::make_unique<BrokenPlayer>(attached.error().message, *path, settings.mode,
                                          std::move(session));
  }
  return player;
} catch (const std::exception& problem) {
  return broken(std::string("cannot open the cassette: ") + problem.what());
}

}  // namespace cassette
