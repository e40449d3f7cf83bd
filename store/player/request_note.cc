// See request_note.h.
#include "store/player/request_note.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <string>

#include "store/match/parameters.h"
#include "store/redaction/known_secrets.h"
#include "store/uri.h"

namespace cassette {

namespace {

std::atomic<unsigned> forks{0};

// Asking the kernel for each request would cost as much as finding its answer. What is known is a number of the kernel's, and
// behind which fork it was asked for.
constexpr std::uint64_t known(unsigned fork, pid_t number) {
  return std::uint64_t{fork} << 32 | static_cast<std::uint32_t>(number);
}
constexpr bool is_known(std::uint64_t known, unsigned fork) {
  return (known & 0xFFFFFFFF) != 0 && known >> 32 == fork;
}

pid_t process_id() {
  static std::atomic<std::uint64_t> present{0};
  const unsigned fork = forks.load(std::memory_order_relaxed);
  std::uint64_t value = present.load(std::memory_order_relaxed);
  if (!is_known(value, fork)) {
    value = known(fork, getpid());
    present.store(value, std::memory_order_relaxed);
  }
  return static_cast<pid_t>(value);
}

pid_t thread_id() {
  // Not a thread-local variable: those of a library that comes late need room that may be used up, or get theirs from the
  // program's malloc(). The first keys have their place in what libc has of a thread.
  struct Key {
    pthread_key_t key{};
    bool is_made = pthread_key_create(&key, nullptr) == 0;
  };
  static const Key place;
  if (!place.is_made) return gettid();
  const unsigned fork = forks.load(std::memory_order_relaxed);
  auto value = reinterpret_cast<std::uint64_t>(pthread_getspecific(place.key));
  if (!is_known(value, fork)) {
    value = known(fork, gettid());
    pthread_setspecific(place.key, reinterpret_cast<void*>(value));
  }
  return static_cast<pid_t>(value);
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

std::int32_t this_thread_id() { return thread_id(); }

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
  entry.pid = process_id();
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
