// What the player of a session records, and what it tells of what it does not: see session_player.h.
#include <unistd.h>

#include <ctime>
#include <exception>
#include <optional>

#include "store/formats/hash.h"
#include "store/journal/journal.h"
#include "store/log.h"
#include "store/match/digests.h"
#include "store/match/failed_place.h"
#include "store/player/diagnosis.h"
#include "store/player/request_note.h"
#include "store/player/session_player.h"

namespace cassette {

namespace {

std::int64_t microseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

Result<std::optional<RecordName>> SessionPlayer::record(Interaction interaction) try {
  if (interaction.error.empty() &&
      settings_.no_record_status.contains(interaction.response.status)) {
    return std::optional<RecordName>();
  }
  interaction.redacted = digests_of(redactor_, image_.digest_key(), view_of(interaction));
  const Redaction redaction = redactor_.redact(interaction, &known_);
  if (interaction.redacted.empty() && has_placeholder(interaction))
    interaction.redacted = without_digests(image_.digest_key());
  if (redaction.response_values > 0) cursors_.count_redacted(redaction.response_values);
  if (!redaction.unsearched.empty() && session_->first_to_tell("unsearched")) {
    log(LogLevel::kWarn, interaction.request.method + " " + interaction.uri + ": " +
                             redaction.unsearched +
                             ", was not searched for credentials (further ones are not told)");
  }
  auto appended = append(std::move(interaction));
  if (!appended) return appended.error();
  cursors_.count_recorded();
  return std::optional<RecordName>(*appended);
} catch (const std::exception& problem) {
  cursors_.count_record_failure();
  return Error{std::string("not recorded: ") + problem.what()};
}

/// To the journal. What fails is told and counted.
Result<RecordName> SessionPlayer::append(Interaction interaction) {
  if (!interaction.recorded_at) interaction.recorded_at = microseconds_now();
  JournalRecord record;
  record.session = session_->token();
  record.mode = settings_.mode;
  record.began = static_cast<std::uint64_t>(*interaction.recorded_at) * 1000;
  record.pid = getpid();
  record.sequence = sequence_.fetch_add(1, std::memory_order_relaxed);
  record.interaction = std::move(interaction);
  const std::string what = record.interaction.request.method + " " + record.interaction.uri;
  auto appended = journal_.append(record);
  if (appended) return RecordName{record.began, record.sequence};
  cursors_.count_record_failure();
  session_->note_not_recorded({path_, what, appended.error().message});
  if (!told_.exchange(true)) {
    log(LogLevel::kError, "not recorded in " + cassette_path() + ": " + appended.error().message);
  }
  return appended.error();
}

void SessionPlayer::record_certificate(std::string_view host, std::uint16_t port,
                                       ServerCertificate certificate) try {
  if (!may_forward()) return;
  const bool is_none = certificate.chain.empty();
  // Of an ordinary server there is nothing to say, unless it was none.
  if (is_none && image_.certificate(host, port).certificate.chain.empty()) return;
  Interaction entry = certificate_entry(host, port, std::move(certificate));
  Hash hash;
  hash.add(entry.uri);
  hash.add(is_none ? std::string_view() : entry.certificate->chain.front());
  hash.add(std::uint64_t{entry.certificate->trusted});
  {
    std::lock_guard guard(certificates_mutex_);
    if (!recorded_certificates_.insert(hash.hex()).second) return;
  }
  (void)append(std::move(entry)).ok();
} catch (const std::exception& problem) {
  cursors_.count_record_failure();
  log(LogLevel::kError, std::string("a certificate is not recorded: ") + problem.what());
}

void SessionPlayer::closed_behind(const RecordName& recorded) try {
  JournalRecord record;
  record.session = session_->token();
  record.began = recorded.began;
  record.pid = getpid();
  record.sequence = recorded.sequence;
  if (auto appended = journal_.append_close(record); !appended) {
    log(LogLevel::kWarn, appended.error().message);
  }
} catch (const std::exception& problem) {
  log(LogLevel::kWarn, problem.what());
}

void SessionPlayer::not_recorded(const RequestView& request, std::string_view why) try {
  std::string uri = redactor_.redact_uri(format_uri(request.uri));
  if (known_.refresh()) uri = known_.redact_uri(uri);
  const NotRecorded note{path_, std::string(request.method) + " " + uri, std::string(why)};
  log(LogLevel::kWarn, note.what + ": " + note.why + ": not recorded");
  session_->note_not_recorded(note);
} catch (const std::exception& problem) {
  log(LogLevel::kWarn, problem.what());
}

void SessionPlayer::cannot_record(const RequestView& request, std::string_view why) {
  cursors_.count_record_failure();
  not_recorded(request, why);
}

void SessionPlayer::relayed(std::string_view place, std::string_view what) try {
  cursors_.count_relayed();
  tell_once(relayed_line(place, what));
} catch (const std::exception& problem) {
  log(LogLevel::kWarn, problem.what());
}

void SessionPlayer::refused(std::string_view place, std::string_view what) try {
  cursors_.count_refused();
  tell_once(refused_line(place, what));
} catch (const std::exception& problem) {
  log(LogLevel::kWarn, problem.what());
}

void SessionPlayer::handled(const RequestView& request, const Handled& handled) noexcept {
  const bool replayed = handled.outcome == HistoryOutcome::kReplayed;
  const bool real =
      handled.outcome == HistoryOutcome::kRecorded || handled.outcome == HistoryOutcome::kForwarded;
  note_request(session_->history(), redactor_, real ? &known_ : nullptr, cassette_.key, request,
               handled, replayed ? image_.status(handled.decision.interaction) : handled.status);
}

void SessionPlayer::tell_once(const std::string& line) const {
  if (session_->first_to_tell(line)) log(LogLevel::kWarn, line);
}

void SessionPlayer::keep_open(const KeepFile& keep) {
  if (!may_forward()) return;
  known_.keep_open(keep);
  if (auto kept = journal_.keep_open(keep); !kept) log(LogLevel::kWarn, kept.error().message);
}

}  // namespace cassette
