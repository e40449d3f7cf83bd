// See fallback_player.h.
#include "store/player/fallback_player.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "store/player/diagnosis.h"

namespace cassette {

namespace {

class FallbackPlayer final : public Player {
 public:
  explicit FallbackPlayer(std::vector<std::shared_ptr<Player>> players)
      : players_(std::move(players)), first_(*players_.front()) {
    begins_.reserve(players_.size());
    for (const auto& player : players_) {
      begins_.push_back(size_);
      size_ += player->cassette_size();
    }
  }

  UpstreamPolicy upstream_policy(std::string_view host, std::uint16_t port) const override {
    const UpstreamPolicy policy = first_.upstream_policy(host, port);
    if (policy != UpstreamPolicy::kAtConnect) return policy;
    return answers_for(host, port) ? UpstreamPolicy::kOnDemand : policy;
  }
  bool answers_for(std::string_view host, std::uint16_t port) const override {
    return any([&](const Player& player) { return player.answers_for(host, port); });
  }
  bool may_relay() const override { return first_.may_relay(); }
  bool decides_at_headers() const override { return first_.decides_at_headers() && !needs_body(); }
  bool needs_body() const override {
    return any([](const Player& player) { return player.needs_body(); });
  }

  Decision decide(const RequestView& request) override;
  Decision refused_tunnel(const RequestView& request) override {
    return first_that([&](Player& player) { return player.refused_tunnel(request); });
  }
  Decision refuses_body(const RequestView& request) override {
    return first_that([&](Player& player) { return player.refuses_body(request); });
  }
  PlayedResponse response(std::uint32_t interaction, const ResponseTarget& target,
                          std::string& scratch) const override {
    const std::size_t index = player_of(interaction);
    return players_[index]->response(interaction - begins_[index], target, scratch);
  }
  bool has_early_answers() const override {
    return any([](const Player& player) { return player.has_early_answers(); });
  }
  bool answers_early(const RequestView& request) const override {
    return any([&](const Player& player) { return player.answers_early(request); });
  }
  bool answers_before_body(std::uint32_t interaction) const override {
    const std::size_t index = player_of(interaction);
    return players_[index]->answers_before_body(interaction - begins_[index]);
  }

  std::string miss(const RequestView& request, const Decision& decision,
                   std::string_view detail) override try {
    return miss(diagnose(request, decision, detail));
  } catch (const std::exception&) {
    return first_.miss(request, {Decision::Kind::kMiss, decision.reason, 0}, {});
  }
  Miss diagnose(const RequestView& request, const Decision& decision,
                std::string_view detail) const override;
  std::string miss(const Miss& miss) override { return first_.miss(miss); }

  Result<std::optional<RecordName>> record(Interaction interaction) override {
    return first_.record(std::move(interaction));
  }
  void closed_behind(const RecordName& recorded) override { first_.closed_behind(recorded); }
  void not_recorded(const RequestView& request, std::string_view why) override {
    first_.not_recorded(request, why);
  }
  void cannot_record(const RequestView& request, std::string_view why) override {
    first_.cannot_record(request, why);
  }
  void relayed(std::string_view place, std::string_view what) override {
    first_.relayed(place, what);
  }
  void refused(std::string_view place, std::string_view what) override {
    first_.refused(place, what);
  }
  void handled(const RequestView& request, const Handled& handled) noexcept override {
    const bool replayed = handled.outcome == HistoryOutcome::kReplayed;
    const std::size_t index = replayed ? player_of(handled.decision.interaction) : 0;
    Handled own = handled;
    own.decision.interaction -= begins_[index];
    players_[index]->handled(request, own);
  }

  // The positions that a program asks for are those of the first cassette.
  Result<std::uint32_t> index() override { return first_.index(); }
  Result<std::uint32_t> advance(bool plays) override { return first_.advance(plays); }
  std::uint32_t cassette_size() const override { return first_.cassette_size(); }
  Result<void> rewind() override {
    for (const auto& player : players_) {
      if (auto done = player->rewind(); !done) return done;
    }
    return {};
  }

  const std::string& cassette_path() const override { return first_.cassette_path(); }

  std::string_view failure_of(const RequestView& place) override;
  RecordedCertificate certificate_of(std::string_view host, std::uint16_t port) const override;
  void record_certificate(std::string_view host, std::uint16_t port,
                          ServerCertificate certificate) override {
    first_.record_certificate(host, port, std::move(certificate));
  }
  void keep_open(const KeepFile& keep) override { first_.keep_open(keep); }
  void before_fork() override {
    for (const auto& player : players_) player->before_fork();
  }
  void after_fork() override {
    for (const auto& player : players_) player->after_fork();
  }

 private:
  template <typename Asked>
  bool any(Asked asked) const {
    return std::any_of(players_.begin(), players_.end(),
                       [&](const auto& player) { return asked(*player); });
  }
  /// Of the first that replays.
  template <typename Decides>
  Decision first_that(Decides decides) {
    for (std::size_t i = 0; i < players_.size(); ++i) {
      Decision decision = decides(*players_[i]);
      if (decision.kind != Decision::Kind::kReplay) continue;
      decision.interaction += begins_[i];
      return decision;
    }
    return {};
  }
  std::size_t player_of(std::uint32_t interaction) const {
    auto behind = std::upper_bound(begins_.begin(), begins_.end(), interaction);
    return static_cast<std::size_t>(behind - begins_.begin()) - 1;
  }

  const std::vector<std::shared_ptr<Player>> players_;
  Player& first_;
  std::vector<std::uint32_t> begins_;  ///< the number of each one's first interaction
  std::uint32_t size_ = 0;
};

/// What is worth knowing most when none of them could play it.
int weight(MissReason reason) {
  switch (reason) {
    case MissReason::kUsedUp:
      return 3;
    case MissReason::kOutOfSequence:
      return 2;
    case MissReason::kNoSuchRequest:
      return 1;
    default:
      return 0;
  }
}

/// The cassette cannot answer it, and another may.
bool may_be_elsewhere(const Decision& decision) {
  return decision.kind == Decision::Kind::kForward ||
         (decision.kind == Decision::Kind::kMiss &&
          (weight(decision.reason) > 0 || decision.reason == MissReason::kNoCassette));
}

Decision FallbackPlayer::decide(const RequestView& request) {
  const Decision first = first_.decide(request);
  if (!may_be_elsewhere(first)) return first;
  Decision told = first;
  for (std::size_t i = 1; i < players_.size(); ++i) {
    Decision decision = players_[i]->decide(request);
    decision.interaction += begins_[i];
    if (decision.kind == Decision::Kind::kReplay || !may_be_elsewhere(decision)) return decision;
    if (first.kind == Decision::Kind::kMiss && weight(decision.reason) > weight(told.reason)) {
      told = decision;
    }
  }
  return told;
}

Miss FallbackPlayer::diagnose(const RequestView& request, const Decision& decision,
                              std::string_view detail) const {
  const std::size_t index =
      may_be_elsewhere(decision) ? player_of(decision.interaction) : std::size_t{0};
  Decision own = decision;
  own.interaction -= begins_[index];
  Miss miss = players_[index]->diagnose(request, own, detail);
  if (!may_be_elsewhere(decision)) return miss;
  // The closest of all is told, unless it is known whose turn it is.
  std::size_t closest = index;
  std::string asked;
  for (std::size_t i = 0; i < players_.size(); ++i) {
    const Player& player = *players_[i];
    if (!asked.empty()) asked += ", ";
    asked += player.cassette_path();
    if (i == index || miss.expected) continue;
    Miss other =
        player.diagnose(request, {Decision::Kind::kMiss, MissReason::kNoSuchRequest, 0}, detail);
    if (!other.closest) continue;
    if (miss.closest && miss.closest->differences.size() <= other.closest->differences.size()) {
      continue;
    }
    miss.closest = std::move(other.closest);
    miss.closest_name = std::move(other.closest_name);
    closest = i;
  }
  if (index != 0) miss.mode = first_.diagnose(request, {}, {}).mode;
  if (miss.closest) miss.closest_name += " of " + players_[closest]->cassette_path();
  miss.cassette = std::move(asked);
  return miss;
}

std::string_view FallbackPlayer::failure_of(const RequestView& place) {
  for (const auto& player : players_) {
    const std::string_view failure = player->failure_of(place);
    if (!failure.empty()) return failure;
    if (player->answers_for(place.uri.host, place.uri.port)) break;
  }
  return {};
}

RecordedCertificate FallbackPlayer::certificate_of(std::string_view host,
                                                   std::uint16_t port) const {
  for (const auto& player : players_) {
    RecordedCertificate recorded = player->certificate_of(host, port);
    // Whose answers are played, his server it was, if only an ordinary one.
    if (!recorded.certificate.chain.empty() || player->answers_for(host, port)) return recorded;
  }
  return {};
}

}  // namespace

std::shared_ptr<Player> play_with_fallbacks(std::vector<std::shared_ptr<Player>> players) {
  return std::make_shared<FallbackPlayer>(std::move(players));
}

}  // namespace cassette
