// See request_note.h.
#include "store/player/request_note.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <string>

#include "store/match/parameters.h"
#include "store/redaction/known_secrets.h"
#include "store/uri.h"

namespace cassette {

namespace {

std::atomic<unsigned> forks{0};

/// Asking the kernel for each request would cost as much as finding its answer.
struct ThreadIds {
  unsigned forks = 0;
  pid_t pid = 0;
  pid_t tid = 0;
};

const ThreadIds& thread_ids() {
  // There from the start: memory for what a late library has of a thread comes from the program's malloc, and the
  // LeakSanitizer of GCC 12 crashes over it.
  [[gnu::tls_model("initial-exec")]] static thread_local ThreadIds ids;
  unsigned now = forks.load(std::memory_order_relaxed);
  if (ids.pid == 0 || ids.forks != now) ids = {now, getpid(), gettid()};
  return ids;
}

bool hides_anything(const Redactor& redactor, const UriView& uri) {
  std::string_view rest = uri.query;
  Parameter parameter;
  while (next_parameter(rest, parameter)) {
    if (redactor.hides_query(parameter)) return true;
  }
  // OAuth's implicit flow; a path has no `#`, but a client may send one all the same.
  return uri.path.find('#') != std::string_view::npos ||
         uri.query.find('#') != std::string_view::npos;
}

}  // namespace

std::int32_t this_thread_id() { return thread_ids().tid; }

void forget_thread_ids() { forks.fetch_add(1, std::memory_order_relaxed); }

void note_request(History& history, const Redactor& redactor, KnownSecrets* known,
                  std::uint64_t cassette, const RequestView& request, const Handled& handled,
                  int status) noexcept try {
  HistoryEntry entry;
  entry.began = handled.began_at;
  entry.duration = static_cast<std::uint64_t>(std::max<std::int64_t>(handled.nanoseconds, 0));
  entry.cassette = cassette;
  if (handled.outcome == HistoryOutcome::kReplayed) {
    entry.interaction = handled.decision.interaction;
    entry.reason = handled.decision.differs_in_secret ? kDiffersInSecret : 0;
  }
  entry.pid = thread_ids().pid;
  entry.tid = handled.thread;
  entry.status = static_cast<std::uint16_t>(status);
  entry.outcome = handled.outcome;
  if (handled.outcome == HistoryOutcome::kMissed) {
    entry.reason = static_cast<std::uint8_t>(handled.decision.reason);
  }
  entry.program = program_invocation_short_name;
  entry.method = request.method;
  char space[1024];
  std::string text;
  const std::size_t size = format_uri(request.uri, space, sizeof space);
  if (known != nullptr && known->refresh()) {
    text = known->redact_uri(redactor.redact_uri(format_uri(request.uri)));
    entry.uri = text;
  } else if (size > sizeof space || hides_anything(redactor, request.uri)) {
    text = redactor.redact_uri(format_uri(request.uri));
    entry.uri = text;
  } else {
    entry.uri = {space, size};
  }
  history.append(entry);
} catch (const std::exception&) {
  // No memory: the history has one entry less. The request has its answer.
}

}  // namespace cassette
