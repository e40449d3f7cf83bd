// The engine of one process: what its parts share. Made with the first intercepted call, never
// destroyed (threads of the program may still be in it while the process ends).
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "preload/engine/connection/connection_pool.h"
#include "preload/engine/connection/failures.h"
#include "preload/engine/connection/names.h"
#include "preload/engine/connection/service.h"
#include "preload/engine/conversation/secure_channel.h"
#include "preload/engine/trust/judgements.h"
#include "preload/engine_api.h"
#include "preload/hooks/real.h"
#include "store/deck.h"
#include "store/settings/settings.h"

namespace cassette {

class Engine {
 public:
  explicit Engine(const HostApi& host);

  const HostApi& host;
  /// For what the program asked for and is passed on: connect() and names may lead elsewhere, by another preloaded library
  /// (proxychains, torsocks). What the engine does for itself it asks libc for.
  const RealFunctions& real;
  Settings settings;
  Names names;
  Failures failures;
  ConnectionPool connections;
  Service service;
  Judgements judgements;
  Told told;
  Trust trust;

  /// Loads the TLS object with the first call, and makes or reads the session's authority.
  TlsSupport& tls();

  /// What the process plays from. Opened with the first connection or name, so that loading the engine
  /// to end a session costs no cassette.
  Deck& deck() { return *deck_; }
  /// Who answers now; nullptr in mode `off`.
  std::shared_ptr<Player> player();
  /// May anything go out to real servers?
  bool asks_servers() const { return settings.mode != RecordMode::kNone; }
  /// May this place be recorded or replayed at all?
  bool intercepts(std::string_view name, std::uint16_t port) const;

  /// Private descriptors: out of the program's reach. move_up() gives a high number, close-on-exec, and
  /// closes the low one; -1 with errno.
  int move_up(int fd);
  int copy_up(int fd);
  /// The same for several, which is cheaper; as copy_to_private_numbers().
  bool copy_up(const int* from, int* to, int count, bool* scarce);
  void close_private(int fd);
  /// Takes another number for what has `fd`, which is free then. False: there is no other one, or it is not of a connection nor of
  /// the service.
  bool make_way(int fd);

  /// Gives the connection back to the pool when nothing is left to do with it.
  void retire_if_finished(Connection* connection, std::unique_lock<std::mutex> lock);

  /// Reads the cassette, if there is one to be played or recorded.
  void open_cassette();

  /// The process is about to change its user: whatever it needs of the session is opened now.
  void keep_rights();
  /// The process shuts itself in: the same, and the service thread runs. `filtered`: the calling thread, and those that it
  /// begins, may make few system calls from now on (seccomp(2)).
  void get_ready(bool filtered);
  /// Whether what the engine does for the program's threads is done by its own.
  bool is_filtered() const { return filtered_.load(std::memory_order_relaxed); }

  /// True in the process that the engine works for; false in the child of a vfork().
  bool owns_process() const;
  void leave(bool ended_well);

  void before_fork();
  void after_fork_in_parent();
  /// `shares_descriptors`: with its parent, which goes on using the engine's (clone(2), CLONE_FILES).
  void after_fork_in_child(bool shares_descriptors);

 private:
  void begin_tls();
  void unlock_after_fork();
  void send_what_is_owed();

  std::optional<Deck> deck_;
  std::mutex tls_mutex_;
  std::atomic<bool> tls_begun_ = false;
  TlsSupport tls_;
  bool off_ = false;
  std::atomic<bool> filtered_ = false;
  std::atomic<pid_t> process_;
};

/// The one engine; valid from cassette_engine_start() on.
Engine& engine();

}  // namespace cassette
