// The heart of the store: given this request, in this session, what happens? Replay this
// interaction, forward and record, or miss with this diagnosis. Knows no socket.
//
// Thread safety: everything may be called from any thread. decide() and response() of a recorded
// interaction take no lock and, with the default match_on, allocate nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "parser/result.h"
#include "parser/writer.h"
#include "store/inherited_files.h"
#include "store/interaction.h"
#include "store/match/match.h"
#include "store/session/history.h"
#include "store/settings/settings.h"

namespace cassette {

class Session;
struct Miss;
struct OpenCassette;

enum class MissReason : std::uint8_t {
  kNone,
  kNoCassette,  ///< the mode may not record, and there is nothing to play
  kNoSuchRequest,
  kUsedUp,
  kOutOfSequence,
  kUnusable,      ///< the cassette, the configuration or the session cannot be used
  kSessionEnded,  ///< somebody ended the session while this process was in it
  kBadRequest,    ///< the request itself cannot be parsed
  kUnsupported,   ///< a protocol that is not replayed (CONNECT, HTTP/2, a 101 upgrade)
};

struct Decision {
  enum class Kind : std::uint8_t { kReplay, kForward, kMiss };
  Kind kind = Kind::kMiss;
  MissReason reason = MissReason::kNone;
  std::uint32_t interaction =
      0;  ///< with kReplay: which one (and with kOutOfSequence: the expected one)
  /// kReplay: the request differs from the recorded one in a value that redaction took out, and no
  /// other had the same.
  bool differs_in_secret = false;
};

/// What the history has as the reason of a replay in which the request differed so.
inline constexpr std::uint8_t kDiffersInSecret = 1;

/// A response ready for the wire. `bytes` is a view into the compiled cassette (valid as long as
/// the player) or into the scratch string that was given.
struct PlayedResponse {
  std::string_view bytes;
  bool close_after = false;
  ResponseEnd end = ResponseEnd::kWhole;  ///< what comes behind `bytes`
  /// Not empty: a recorded network error instead: the name of an errno, kEofError or kSilenceError.
  std::string_view error;
  /// What of `bytes` goes out when, with the recorded delays: offsets, ascending from 0, each with its
  /// milliseconds and, where the answer began before the request was complete, with how much of the request's
  /// body there has to be. Empty when there is nothing to wait for.
  std::span<const Piece> pieces;
};

/// When the real server is connected to.
enum class UpstreamPolicy : std::uint8_t {
  kNever,      ///< nothing that is HTTP goes out
  kOnDemand,   ///< only when a request has to be forwarded: recorded answers exist for that place
  kAtConnect,  ///< at once: the program gets the outcome of the real connect()
};

/// Names an interaction that this process recorded.
struct RecordName {
  std::uint64_t began = 0;
  std::uint64_t sequence = 0;
};

/// How a request went, for the session's history.
struct Handled {
  HistoryOutcome outcome = HistoryOutcome::kMissed;
  Decision decision;
  int status = 0;                ///< of the real server's response; of a replay it is known
  std::int64_t began_at = 0;     ///< microseconds since 1970
  std::int64_t nanoseconds = 0;  ///< until its answer was complete
  std::int32_t thread = 0;       ///< the one that made the request, as far as it is known
};

class Player {
 public:
  /// Plays and records the cassette at `path` (cassette_path()) in a session; deck.h opens both. The
  /// player keeps the session.
  static std::shared_ptr<Player> open(const Settings& settings, std::string path,
                                      std::shared_ptr<Session> session, OpenCassette cassette);
  /// One that cannot work: it answers every request with a miss that carries the reason, and lets
  /// nothing out. `session` (its history notes the misses) may be missing; then `list`, the tree's not_entered_file(), is told
  /// if it is there.
  static std::shared_ptr<Player> broken(std::string problem, std::string path, RecordMode mode,
                                        std::shared_ptr<Session> session, std::string list = "");
  virtual ~Player() = default;

  /// `port` 0: any port of that host.
  virtual UpstreamPolicy upstream_policy(std::string_view host, std::uint16_t port) const = 0;
  /// An interaction is with that place.
  virtual bool answers_for(std::string_view host, std::uint16_t port) const = 0;
  /// Anything but HTTP may be relayed to the real server (false in mode `none`, and when broken).
  virtual bool may_relay() const = 0;
  /// True when a decision can be made, and a forward begun, before the request's body is there.
  virtual bool decides_at_headers() const = 0;
  /// True when decide() looks at the body, so that it has to be kept while parsing.
  virtual bool needs_body() const = 0;

  /// Decides, and on kReplay takes the interaction (one atomic step: no other thread or process of
  /// the session gets the same turn).
  virtual Decision decide(const RequestView& request) = 0;

  /// Of a CONNECT: kReplay when a proxy's refusal of that tunnel was recorded and it is its turn, which it takes as
  /// decide() does. Anything else: the tunnel opens. A refusal of a request without credentials is none of one with
  /// them.
  virtual Decision refused_tunnel(const RequestView& request) {
    (void)request;
    return {};
  }

  /// Of a request that waits for a 100 (Continue), where decide() needs the body: kReplay when it is the turn of an answer
  /// that came before the body, which it takes as decide() does. Anything else: the body is to come.
  virtual Decision refuses_body(const RequestView& request) {
    (void)request;
    return {};
  }

  /// The response of a kReplay decision. The usual case is a view into the compiled cassette; for
  /// another framing (HTTP/1.0 peer, HEAD) it is written into `scratch`.
  virtual PlayedResponse response(std::uint32_t interaction, const ResponseTarget& target,
                                  std::string& scratch) const = 0;

  /// The recorded server gave this answer instead of a 100 (Continue), before the request's body.
  virtual bool answers_before_body(std::uint32_t interaction) const = 0;
  /// Some recorded answer began before its request was complete.
  virtual bool has_early_answers() const { return false; }
  /// One to such a request did: it is decided when its head is there.
  virtual bool answers_early(const RequestView& request) const {
    (void)request;
    return false;
  }

  /// Counts a miss, tells it on stderr (through the logger), and writes the response `HTTP/1.1 599
  /// Cassette Miss` with `X-Cassette-Miss` and a text body that has cassette, mode, request, reason
  /// and the closest recorded interaction with the fields that differ. `detail` is put behind the
  /// reason (e.g. what is malformed).
  virtual std::string miss(const RequestView& request, const Decision& decision,
                           std::string_view detail) = 0;
  /// What it will tell, for who tells it in its place.
  virtual Miss diagnose(const RequestView& request, const Decision& decision,
                        std::string_view detail) const = 0;
  /// The rest of it: counts, tells, and writes the response.
  virtual std::string miss(const Miss& miss) = 0;

  /// Redacts and appends a finished interaction to the journal; when this returns it survives the
  /// death of the process. Nothing: its status is one that is not kept. An error was already told on
  /// stderr once, and is counted for `cassette run`.
  virtual Result<std::optional<RecordName>> record(Interaction interaction) = 0;

  /// The server closed the connection right behind the answer of an interaction that was recorded: known only when
  /// that is in the journal. What cannot be noted is only told.
  virtual void closed_behind(const RecordName& recorded) { (void)recorded; }

  /// An answer that is not recorded, because it never became whole: says so, and notes it for the
  /// summary of `cassette run`.
  virtual void not_recorded(const RequestView& request, std::string_view why) {
    (void)request;
    (void)why;
  }

  /// A connection to `place` goes to the real server past the cassette, `what` says why: told once for each place and
  /// reason in a run, and counted for the summary of `cassette run`.
  virtual void relayed(std::string_view place, std::string_view what) = 0;
  /// The same for one that would go there, and is refused.
  virtual void refused(std::string_view place, std::string_view what) = 0;

  /// An answer that the program has got, and that cannot be recorded as it is: as not_recorded(), and counted as a
  /// failure of the recording.
  virtual void cannot_record(const RequestView& request, std::string_view why) {
    not_recorded(request, why);
  }

  /// Notes a request in the session's history. Takes no lock.
  virtual void handled(const RequestView& request, const Handled& handled) noexcept = 0;

  // The position, whatever the order (cursors.h). Errors: the player cannot work, the session has
  // ended.

  /// The first interaction that is not used up, from 0; cassette_size() when there is none.
  virtual Result<std::uint32_t> index() = 0;
  /// Uses it up, and gives its index. `plays`: it counts as played, because the caller plays it.
  virtual Result<std::uint32_t> advance(bool plays) = 0;
  virtual Result<void> rewind() = 0;
  virtual std::uint32_t cassette_size() const = 0;

  /// Shown in messages.
  virtual const std::string& cassette_path() const = 0;

  /// Around fork(): the child must not share what is locked just now.
  /// For a place as store/match/failed_place.h has it: the name of the error that was recorded, empty when there is
  /// none, or when it has answers too. Counts it as played; the same place fails however often it is tried.
  virtual std::string_view failure_of(const RequestView& place) {
    (void)place;
    return {};
  }

  /// The certificate that was recorded of a TLS server (an entry `CONNECT tls://host:port/`), which counts as no play. An
  /// empty chain: the server was an ordinary one, or nothing was recorded of it.
  virtual RecordedCertificate certificate_of(std::string_view host, std::uint16_t port) const {
    (void)host;
    (void)port;
    return {};
  }
  /// Records it, once in a process for each host and certificate; in the merge the newest recording's certificate stays,
  /// and one that a program of that recording did not trust is not trusted. An empty chain: the server is an ordinary one;
  /// what an earlier recording has of it goes. Nothing is written in a mode that does not record.
  virtual void record_certificate(std::string_view host, std::uint16_t port,
                                  ServerCertificate certificate) {
    (void)host;
    (void)port;
    (void)certificate;
  }

  /// The process is about to change its user or its root directory: opens what could not be opened then.
  virtual void keep_open(const KeepFile& keep) { (void)keep; }

  virtual void before_fork() {}
  virtual void after_fork() {}
};

}  // namespace cassette
