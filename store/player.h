// The heart of the store: given this request, in this session, what happens? Replay this
// interaction, forward and record, or miss with this diagnosis. Knows no socket.
//
// Thread safety: everything may be called from any thread. decide() and response() of a recorded
// interaction take no lock and, with the default match_on, allocate nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "parser/result.h"
#include "parser/writer.h"
#include "store/interaction.h"
#include "store/match/match.h"
#include "store/settings/settings.h"

namespace cassette {

enum class MissReason : std::uint8_t {
  kNone,
  kNoCassette,  ///< the mode may not record, and there is nothing to play
  kNoSuchRequest,
  kUsedUp,
  kOutOfSequence,
  kUnusable,     ///< the cassette, the configuration or the session cannot be used
  kBadRequest,   ///< the request itself cannot be parsed
  kUnsupported,  ///< a protocol that is not replayed (CONNECT, HTTP/2, a 101 upgrade)
};

struct Decision {
  enum class Kind : std::uint8_t { kReplay, kForward, kMiss };
  Kind kind = Kind::kMiss;
  MissReason reason = MissReason::kNone;
  std::uint32_t interaction =
      0;  ///< with kReplay: which one (and with kOutOfSequence: the expected one)
};

/// A response ready for the wire. `bytes` is a view into the compiled cassette (valid as long as
/// the player) or into the scratch string that was given.
struct PlayedResponse {
  std::string_view bytes;
  bool close_after = false;
  std::string_view error;  ///< not empty: a recorded network error instead (errno name)
  /// How the body came, for replay with the recorded delays: offsets into `bytes`, ascending, each
  /// with its milliseconds. What is before the second one's offset (the head too) goes out at the
  /// first one's time. Empty when nothing is known.
  std::span<const Piece> pieces;
};

/// When the real server is connected to.
enum class UpstreamPolicy : std::uint8_t {
  kNever,      ///< nothing that is HTTP goes out
  kOnDemand,   ///< only when a request has to be forwarded: recorded answers exist for that place
  kAtConnect,  ///< at once: the program gets the outcome of the real connect()
};

class Player {
 public:
  /// Joins the session and opens the cassette (creating what the session needs). Never fails: a
  /// player that cannot work answers every request with a miss that carries the reason (`problem`),
  /// and lets nothing out. `problem` may come from the caller (settings that do not load). `tree`
  /// is the value of CASSETTE_TREE (tree.h), which names the session, the {program} and the
  /// directory of a relative cassette; empty: this process is its own tree, in the working
  /// directory.
  static std::unique_ptr<Player> open(const Settings& settings, std::string_view tree);
  static std::unique_ptr<Player> broken(std::string problem);
  virtual ~Player() = default;

  /// `port` 0: any port of that host.
  virtual UpstreamPolicy upstream_policy(std::string_view host, std::uint16_t port) const = 0;
  /// Anything but HTTP may be relayed to the real server (false in mode `none`, and when broken).
  virtual bool may_relay() const = 0;
  /// True when a decision can be made, and a forward begun, before the request's body is there.
  virtual bool decides_at_headers() const = 0;
  /// True when decide() looks at the body, so that it has to be kept while parsing.
  virtual bool needs_body() const = 0;

  /// Decides, and on kReplay takes the interaction (one atomic step: no other thread or process of
  /// the session gets the same turn).
  virtual Decision decide(const RequestView& request) = 0;

  /// The response of a kReplay decision. The usual case is a view into the compiled cassette; for
  /// another framing (HTTP/1.0 peer, HEAD) it is written into `scratch`.
  virtual PlayedResponse response(std::uint32_t interaction, const ResponseTarget& target,
                                  std::string& scratch) const = 0;

  /// The recorded server gave this answer instead of a 100 (Continue), before the request's body.
  virtual bool answers_before_body(std::uint32_t interaction) const = 0;

  /// Counts a miss, tells it on stderr (through the logger), and writes the response `HTTP/1.1 599
  /// Cassette Miss` with `X-Cassette-Miss` and a text body that has cassette, mode, request, reason
  /// and the closest recorded interaction with the fields that differ. `detail` is put behind the
  /// reason (e.g. what is malformed).
  virtual std::string miss(const RequestView& request, const Decision& decision,
                           std::string_view detail) = 0;

  /// Redacts and appends a finished interaction to the journal; when this returns it survives the
  /// death of the process. An error was already told on stderr once, and is counted for `cassette
  /// run`.
  virtual Result<void> record(Interaction interaction) = 0;

  /// Shown in messages.
  virtual const std::string& cassette_path() const = 0;

  /// Around fork(): what the child must not share is closed or made anew there.
  virtual void before_fork() = 0;
  virtual void after_fork_in_parent() = 0;
  virtual void after_fork_in_child() = 0;

  /// The process ends: leaves the session; the last one out merges the journal and removes it.
  /// `ended_well`: exit status 0, where that is known. Of the root of the tree it decides whether
  /// what `all` and `rewrite` recorded takes the place of the old.
  virtual void leave(bool ended_well = true) = 0;
};

}  // namespace cassette
