// One intercepted connection: the conversation, and the sockets it goes through.
//
//   program's descriptor  <- socketpair ->  engine end     original socket  <- network ->  server
//
// Connections live in a pool that never gives memory back, so that a stale pointer out of the
// descriptor table can always be locked and asked whether it is still the same connection.
//
// Thread safety: every function needs `mutex` held, but the pool's. A connection is served by the
// program's own threads (the fast path) and by the service thread, whoever has something to do.
// No system call under the lock blocks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "preload/engine/connection/endpoint.h"
#include "preload/engine/conversation/conversation.h"

namespace cassette {

class Connection {
 public:
  /// How far the connection to the real server is.
  enum class Upstream : std::uint8_t { kNone, kResolving, kConnecting, kConnected, kFinished };

  /// What the swap made; the connection owns both descriptors.
  struct Sockets {
    int program_fd = -1;  ///< the number that the program knows it by, at first
    int engine_end = -1;
    int original = -1;
    dev_t device = 0;  ///< identity of the program's end
    ino_t inode = 0;
    std::size_t ballast = 0;  ///< bytes that keep the program's end from being writable (swap.h)
  };

  std::mutex mutex;

  void begin(Deck& deck, Conversation::Terms terms, const Sockets& sockets, const Endpoint& peer,
             Upstream upstream);
  bool live() const { return conversation_.has_value(); }
  /// Names this use of the object: events of an earlier one are stale.
  std::uint32_t generation() const { return generation_; }
  std::uint32_t index() const { return index_; }

  /// Is the socket behind `fd` the program's end of this connection?
  bool is(int fd) const;

  /// The fast path. kPassThrough (engine_api.h) when the bytes have to go through the kernel.
  ssize_t send_inline(const iovec* parts, std::size_t count);

  /// The service thread: epoll says something about the engine end, or the original socket.
  void engine_end_ready(std::uint32_t events);
  void original_ready(std::uint32_t events);
  /// deadline() has passed, or somebody wants the connection looked at.
  void look();
  /// Steady-clock nanoseconds; 0: nothing to wait for.
  std::int64_t deadline() const;

  /// The conversation needs the server and nobody has connected yet: the service thread does, because
  /// a name may have to be resolved first. connect_upstream() with the address, or an errno.
  bool wants_connect() const;
  void resolving() { upstream_ = Upstream::kResolving; }
  void connect_upstream(const std::optional<Endpoint>& address, int error);

  /// The connection that is being made fails.
  void fail_connect(int error);

  /// The process ends: the program reads no more. True when something is owed all the same: bytes that
  /// the server has not got yet, or an answer that is being recorded.
  bool abandon();
  /// Behind abandon(): the process ends, whatever state this is in. Says what is not recorded.
  void program_exits();
  /// The program closed a descriptor of it.
  void descriptor_closed();
  /// Nothing is left to do: the descriptors are closed, the object goes back to the pool.
  bool finished() const;
  void release();
  /// In the child of a fork: the parent serves the connection, the child drops its copies.
  void drop_in_child();

  // What the program asks.
  const Endpoint& peer() const { return peer_; }
  const Endpoint& local();
  Upstream upstream() const { return upstream_; }
  int original() const { return sockets_.original; }
  const std::string& host() const { return host_; }
  /// The pending error (SO_ERROR), which is forgotten by being asked for.
  int take_error();
  int pending_error() const { return pending_error_; }
  /// First answer of a second connect(): 0 once, EISCONN from then on.
  bool connect_reported = true;

 private:
  friend class ConnectionPool;

  void read_engine_end(char* buffer, std::size_t size);
  void read_original(char* buffer, std::size_t size);
  void finish_connect(int error);
  bool drop_ballast();
  void flush();
  void flush_to_program();
  void flush_to_upstream();
  void reset_program();
  void program_left();
  void close_engine_end();
  void leave_original();
  void let_upstream_go();
  void watch();
  void look_at(std::int64_t time);
  bool owes_upstream() const;

  std::optional<Conversation> conversation_;
  Sockets sockets_;
  Endpoint peer_;
  Endpoint local_;
  std::string host_;
  Upstream upstream_ = Upstream::kNone;
  bool program_finished_ = false;  ///< end of file from the program
  bool program_gone_ = false;
  bool program_ended_ = false;  ///< our end of file to the program is sent
  bool upstream_ended_ = false;
  bool engine_blocked_ = false;  ///< the engine end's buffer is full
  bool original_blocked_ = false;
  std::uint32_t engine_events_ = 0;  ///< as registered with the service; 0: not registered
  std::uint32_t original_events_ = 0;
  std::int64_t patience_ = 0;  ///< of the conversation's present state
  std::int64_t patience_ends_ = 0;
  std::int64_t alone_until_ =
      0;  ///< the program is gone, and the rest of its answer is still coming
  std::int64_t look_asked_ = 0;  ///< the time that the service was given last
  int pending_error_ = 0;
  std::uint32_t generation_ = 0;
  std::uint32_t index_ = 0;
};

/// All connections of the process.
class ConnectionPool {
 public:
  /// nullptr without memory. The connection is not live yet.
  Connection* acquire();
  /// Calls `visit` for every live connection, with its mutex held.
  template <typename Visit>
  void for_each(Visit visit) {
    for (std::uint32_t index = 0;; ++index) {
      Connection* connection = at(index);
      if (connection == nullptr) return;
      std::lock_guard guard(connection->mutex);
      if (connection->live()) visit(*connection);
    }
  }
  /// By index; nullptr beyond the end.
  Connection* at(std::uint32_t index);
  /// After release(), without its mutex.
  void give_back(Connection* connection);

  /// Around fork: no other thread is in the pool, nor in a connection, where it may hold locks of all kinds
  /// (OpenSSL's, a cassette's); the child begins with an empty pool.
  void lock();
  void unlock();
  void forget_all_in_child();

 private:
  static constexpr std::uint32_t kChunk = 64;
  std::mutex mutex_;
  std::vector<Connection*> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t made_ = 0;
};

}  // namespace cassette
