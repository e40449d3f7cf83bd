// The player of a usable session: see player.h. What it knows is fixed once it is open; what
// changes is in the cursors, which all processes of the session share. session_player.cc has what it plays,
// session_recorder.cc what it records and tells.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "store/journal/journal.h"
#include "store/match/match.h"
#include "store/player/candidates.h"
#include "store/player/player.h"
#include "store/redaction/known_secrets.h"
#include "store/session/session.h"

namespace cassette {

class SessionPlayer final : public Player {
 public:
  SessionPlayer(const Settings& settings, std::string path, std::shared_ptr<Session> session,
                OpenCassette cassette)
      : settings_(settings),
        path_(std::move(path)),
        redactor_(settings.filter_headers, settings.filter_query, settings.filter_body),
        matcher_(settings.match_on, redactor_),
        session_(std::move(session)),
        cassette_(std::move(cassette)),
        image_(*cassette_.image),
        cursors_(*cassette_.cursors),
        journal_(path_),
        known_(session_->directory() + "/secrets"),
        plays_(settings.mode == RecordMode::kNone || settings.mode == RecordMode::kNewEpisodes ||
               (settings.mode == RecordMode::kOnce && image_.existed())) {}

  UpstreamPolicy upstream_policy(std::string_view host, std::uint16_t port) const override;
  bool answers_for(std::string_view host, std::uint16_t port) const override {
    return image_.answers_for(host, port);
  }
  bool may_relay() const override { return settings_.mode != RecordMode::kNone; }
  bool decides_at_headers() const override { return may_forward() && !needs_body(); }
  bool needs_body() const override {
    return plays_ && (matcher_.needs_body() || image_.bodies_vary());
  }
  Decision decide(const RequestView& request) override;
  Decision refused_tunnel(const RequestView& request) override;
  Decision refuses_body(const RequestView& request) override;
  std::string_view failure_of(const RequestView& place) override;
  PlayedResponse response(std::uint32_t interaction, const ResponseTarget& target,
                          std::string& scratch) const override;
  bool answers_before_body(std::uint32_t interaction) const override {
    return image_.answers_before_body(interaction);
  }
  bool has_early_answers() const override {
    return plays_ && image_.answers_early() && !matcher_.needs_body();
  }
  bool answers_early(const RequestView& request) const override {
    return has_early_answers() &&
           (image_.find(matcher_.key(request)).flags & Image::kHasEarlyAnswers) != 0;
  }
  std::string miss(const RequestView& request, const Decision& decision,
                   std::string_view detail) override;
  Miss diagnose(const RequestView& request, const Decision& decision,
                std::string_view detail) const override;
  std::string miss(const Miss& miss) override;
  Result<std::optional<RecordName>> record(Interaction interaction) override;
  void closed_behind(const RecordName& recorded) override;
  void not_recorded(const RequestView& request, std::string_view why) override;
  void cannot_record(const RequestView& request, std::string_view why) override;
  void relayed(std::string_view place, std::string_view what) override;
  void refused(std::string_view place, std::string_view what) override;
  void handled(const RequestView& request, const Handled& handled) noexcept override;

  Result<std::uint32_t> index() override;
  Result<std::uint32_t> advance(bool plays) override;
  Result<void> rewind() override;
  std::uint32_t cassette_size() const override { return image_.size(); }

  const std::string& cassette_path() const override { return path_; }

  RecordedCertificate certificate_of(std::string_view host, std::uint16_t port) const override {
    return plays_ ? image_.certificate(host, port) : RecordedCertificate{};
  }
  void record_certificate(std::string_view host, std::uint16_t port,
                          ServerCertificate certificate) override;

  void keep_open(const KeepFile& keep) override;

  void before_fork() override {
    certificates_mutex_.lock();
    journal_.before_fork();
    known_.before_fork();
  }
  void after_fork() override {
    known_.after_fork();
    journal_.after_fork();
    certificates_mutex_.unlock();
  }

 private:
  /// DESIGN.md's table of record modes.
  bool may_forward() const {
    if (cursors_.ended()) return false;
    switch (settings_.mode) {
      case RecordMode::kOnce:
        return !image_.existed();
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
  Turn take(const Candidates& candidates);
  Result<RecordName> append(Interaction interaction);
  template <typename Accepts>
  Turn take_of(const Image::Group& group, bool repeats, Accepts accepts);
  void tell_difference(const RequestView& request, Decision& decision) const;
  void tell_once(const std::string& line) const;
  Error ended() const { return Error{"the session " + session_->name() + " has ended"}; }

  const Settings settings_;
  const std::string path_;
  const Redactor redactor_;
  const Matcher matcher_;
  const std::shared_ptr<Session> session_;
  const OpenCassette cassette_;
  const Image& image_;
  Cursors& cursors_;
  Journal journal_;
  KnownSecrets known_;
  const bool plays_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> told_{false};  ///< that recording fails
  /// Never held while anything else is waited for.
  std::mutex certificates_mutex_;
  std::set<std::string> recorded_certificates_;  ///< place, leaf and verdict, hashed
};

}  // namespace cassette
