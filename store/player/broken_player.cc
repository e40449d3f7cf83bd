// The player that cannot work: see Player::broken().
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "store/file_size_signal.h"
#include "store/inherited_files.h"
#include "store/log.h"
#include "store/player/diagnosis.h"
#include "store/player/player.h"
#include "store/player/request_note.h"
#include "store/session/session.h"
#include "store/session/session_files.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

/// Answers every request with the same reason, and lets nothing out.
class BrokenPlayer final : public Player {
 public:
  BrokenPlayer(std::string problem, std::string path, RecordMode mode,
               std::shared_ptr<Session> session, std::string list)
      : problem_(std::move(problem)),
        path_(std::move(path)),
        mode_(mode),
        session_(std::move(session)),
        list_(std::move(list)) {}

  UpstreamPolicy upstream_policy(std::string_view, std::uint16_t) const override {
    return UpstreamPolicy::kNever;
  }
  bool answers_for(std::string_view, std::uint16_t) const override { return false; }
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
    return miss(diagnose(request, decision, detail));
  }
  Miss diagnose(const RequestView& request, const Decision& decision,
                std::string_view detail) const override {
    Miss miss;
    miss.cassette = path_;
    miss.mode = mode_;
    miss.method = request.method;
    miss.uri = redactor_.redact_uri(format_uri(request.uri));
    miss.reason = decision.reason;
    miss.detail = detail.empty() ? problem_ : std::string(detail);
    return miss;
  }
  void relayed(std::string_view place, std::string_view what) override {
    log(LogLevel::kWarn, relayed_line(place, what));
  }
  void refused(std::string_view place, std::string_view what) override {
    log(LogLevel::kWarn, refused_line(place, what));
    tell_list();
  }
  std::string miss(const Miss& miss) override {
    log(LogLevel::kWarn, miss_line(miss));
    tell_list();
    return miss_response(miss, miss.reason == MissReason::kBadRequest);
  }
  Result<std::optional<RecordName>> record(Interaction) override { return Error{problem_}; }
  const std::string& cassette_path() const override { return path_; }
  void handled(const RequestView& request, const Handled& handled) noexcept override {
    if (!session_) return;
    note_request(session_->history(), redactor_, nullptr, cassette_key(path_), request, handled,
                 handled.status);
  }
  Result<std::uint32_t> index() override { return Error{problem_}; }
  Result<std::uint32_t> advance(bool) override { return Error{problem_}; }
  Result<void> rewind() override { return Error{problem_}; }
  std::uint32_t cassette_size() const override { return 0; }

 private:
  /// No session counts it: so that `cassette run` has it in its summary.
  void tell_list() {
    if (session_ || list_.empty() || told_.test_and_set()) return;
    std::string line = std::string(program_invocation_short_name) + "\t" + problem_;
    std::replace(line.begin(), line.end(), '\n', ' ');
    line += std::string("\t") + kNotInSession + "\n";
    const Descriptor file = open_or_inherit(list_, O_WRONLY | O_APPEND);
    WithoutFileSizeSignal guard;
    if (file && write(file.get(), line.data(), line.size()) < 0 && errno == EFBIG) guard.came();
  }

  const std::string problem_;
  const std::string path_;
  const RecordMode mode_;
  const Redactor redactor_{default_filter_headers(), default_filter_query(), {}};
  const std::shared_ptr<Session> session_;
  const std::string list_;
  std::atomic_flag told_;
};

}  // namespace

std::shared_ptr<Player> Player::broken(std::string problem, std::string path, RecordMode mode,
                                       std::shared_ptr<Session> session, std::string list) {
  return std::make_shared<BrokenPlayer>(std::move(problem), std::move(path), mode,
                                        std::move(session), std::move(list));
}

}  // namespace cassette
