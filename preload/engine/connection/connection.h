// One intercepted connection: the conversation, and the sockets it goes through.
//
//   program's descriptor  <- socketpair ->  engine end     original socket  <- network ->  server
//
// Its functions are in four files: connection.cc (what it waits for), traffic.cc (how bytes move), urgent.cc (which of them are
// urgent), endings.cc (how ends are told). Connections live in a pool (connection_pool.h).
//
// Thread safety: every function needs `mutex` held. A connection is served by the
// program's own threads (the fast path) and by the service thread, whoever has something to do.
// No system call under the lock blocks.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "preload/engine/connection/endpoint.h"
#include "preload/engine/connection/kept_options.h"
#include "preload/engine/conversation/conversation.h"

namespace cassette {

class Connection {
 public:
  /// How far the connection to the real server is.
  enum class Upstream : std::uint8_t {
    kNone,
    kResolving,
    kConnecting,
    kConnected,
    kHalfClosed,  ///< it has said all, and may still listen
    kFinished
  };

  /// Bytes that are moved at once, at most.
  static constexpr std::size_t kPiece = 64 * 1024;

  /// What the swap made; the connection owns both descriptors.
  struct Sockets {
    int program_fd = -1;  ///< the number that the program knows it by, at first
    int engine_end = -1;
    int original = -1;
    dev_t device = 0;  ///< identity of the program's end
    ino_t inode = 0;
    bool scarce = false;      ///< the program has few numbers
    std::size_t ballast = 0;  ///< bytes that keep the program's end from being writable (swap.h)
  };

  std::mutex mutex;

  void begin(Deck& deck, Conversation::Terms terms, const Sockets& sockets, const Endpoint& peer,
             Upstream upstream);
  bool live() const { return conversation_.has_value(); }
  /// Names this use of the object: events of an earlier one are stale.
  std::uint32_t generation() const { return generation_; }
  std::uint32_t index() const { return index_; }

  /// One of its descriptors has another number from now on; both are that file. False: it has none that is `from`.
  bool move_number(int from, int to);
  /// Is the socket behind `fd` the program's end of this connection?
  bool is(int fd) const;

  /// The fast path, for a send on `fd`: how many of the bytes were taken (fewer when the server has no room for
  /// more), -1 with errno where the server's end is known, kPassThrough (engine_api.h) when the bytes have to go through
  /// the kernel.
  ssize_t send_inline(int fd, const iovec* parts, std::size_t count);
  /// The same for bytes of which the last one is urgent (send(2), MSG_OOB). What is not taken goes through the kernel with
  /// that flag.
  ssize_t send_urgent(int fd, const iovec* parts, std::size_t count);
  /// What a send through the kernel that failed with EPIPE is to fail with, as send_inline().
  ssize_t send_too_late(int fd);
  /// One through the kernel got rid of some of its bytes only.
  void send_cut_short();
  /// Gives the pair the sizes that the original socket's buffers have now. `program_fd`: the program's end, if it is that.
  void fit_buffers(int program_fd);
  /// The bytes of both directions go between program and server.
  bool server_connected() const {
    return (upstream_ == Upstream::kConnected || upstream_ == Upstream::kHalfClosed) &&
           upstream_error_ == 0;
  }

  /// The service thread: epoll says something about the engine end, or the original socket.
  void engine_end_ready(std::uint32_t events);
  void original_ready(std::uint32_t events);
  /// For one that asks about a connect under way: it may have come to something that the service thread has not heard of.
  void catch_up();
  /// deadline() has passed, or somebody wants the connection looked at.
  void look();
  /// Steady-clock nanoseconds; 0: nothing to wait for.
  std::int64_t deadline() const;

  /// The conversation needs the server and nobody has connected yet: the service thread does, because
  /// a name may have to be resolved first. connect_upstream() with the address, or an errno.
  bool wants_connect() const;
  void resolving() { upstream_ = Upstream::kResolving; }
  void connect_upstream(const std::optional<Endpoint>& address, int error);

  /// There is no memory to go on with it: an exception came out of one of these. Throws nothing.
  void give_up() noexcept;

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
  /// -1: it is not kept, but its options are.
  int original() const { return sockets_.original; }
  KeptOptions& kept_options() { return options_; }
  const std::string& host() const { return host_; }
  /// As tcpi_state has it (tcp(7), TCP_INFO); `fd` is the program's end.
  int tcp_state(int fd) const;
  /// The pending error (SO_ERROR), which is forgotten by being asked for.
  int take_error();
  int pending_error() const { return pending_error_; }
  /// Both directions were ended for the program, which still has its descriptor.
  bool is_closed() const { return sockets_.engine_end < 0 && !program_gone_; }
  /// First answer of a second connect(): 0 once, EISCONN from then on.
  bool connect_reported = true;
  /// The connect that was under way has failed.
  bool connect_failed() const { return connect_failed_; }
  /// Counts the connects that were under way and came to something. Whoever waits for the next one (connect(2) on a blocking
  /// socket) is one of `waiters`, and sleeps on the count; without the mutex, and without the connection, which may
  /// be another one by then.
  std::atomic<std::uint32_t> settled = 0;
  std::atomic<std::uint32_t> waiters = 0;
  /// connect(2) with AF_UNSPEC, or behind one that failed: the program's socket is connected to nothing any more, and stands at
  /// `fd` again. False with errno. Other copies of the descriptor read the end.
  bool dissolve(int fd);

 private:
  friend class ConnectionPool;

  // connection.cc
  void name_pair();
  void drop_original();
  bool ensure_original();
  void finish_connect(int error);
  void tell_waiters();
  int error_of_original() const;
  bool drop_ballast();
  void watch();
  bool needs_service() const;
  void do_without_service();
  void cut_off();
  void look_at(std::int64_t time);
  // traffic.cc
  bool takes_program() const;
  bool takes_upstream() const;
  bool takes_inline() const;
  bool take(std::string_view bytes, bool urgent = false);
  bool read_engine_end(char* buffer, std::size_t size);
  void read_original(char* buffer, std::size_t size);
  void flush();
  void flush_to_program();
  void flush_to_upstream();
  // urgent.cc
  void take_urgent(std::string_view byte);
  void hear_urgent(std::string_view byte);
  void place_urgent();
  bool reads_in_line() const;
  // endings.cc
  void upstream_broke(int error);
  void upstream_said_all();
  void refuse_program();
  void end_program();
  void reset_program();
  bool leave_unread_byte();
  void drain_engine_end(int keep);
  void close_engine_end();
  void leave_original();
  void let_upstream_go();
  void end_upstream();
  void program_left();
  void finish_with_program();
  bool waits_for_room() const;
  bool owes_upstream() const;

  std::optional<Conversation> conversation_;
  Sockets sockets_;
  KeptOptions options_;  ///< of the original, once it is dropped
  Endpoint peer_;
  Endpoint local_;
  std::string host_;
  Upstream upstream_ = Upstream::kNone;
  bool connect_failed_ = false;
  bool program_finished_ = false;  ///< end of file from the program
  bool program_gone_ = false;
  bool given_up_ = false;       ///< what the conversation knows is half of it
  bool program_ended_ = false;  ///< our end of file to the program is sent
  bool refused_ = false;        ///< nothing more is taken from the program: its writes fail
  bool error_told_ = false;     ///< `upstream_error_`, to a send of the program's
  bool cut_short_ = false;      ///< a send of the program's, by the end of the connection
  bool fitted_ = false;         ///< the pair has other buffers than the kernel gave it
  bool upstream_ended_ = false;
  bool program_urges_ = false;   ///< it has sent urgent bytes, which may be in the pair
  bool engine_blocked_ = false;  ///< the engine end's buffer is full
  bool original_blocked_ = false;
  std::uint32_t engine_events_ = 0;  ///< as registered with the service; 0: not registered
  std::uint32_t original_events_ = 0;
  std::int64_t patience_ = 0;  ///< of the conversation's present state
  std::int64_t patience_ends_ = 0;
  std::int64_t alone_until_ =
      0;  ///< the program is gone, and the rest of its answer is still coming
  std::int64_t look_asked_ = 0;         ///< the time that the service was given last
  std::size_t request_piece_ = kPiece;  ///< how much of the program's bytes is taken at once
  std::size_t answer_piece_ = kPiece;   ///< and of the server's
  /// How many bytes of what goes to the server, or to the program, end with an urgent one; 0: none is.
  std::size_t urgent_to_upstream_ = 0;
  std::size_t urgent_to_program_ = 0;
  std::size_t urgent_held_ = 0;  ///< and of those that the conversation makes nothing of yet
  int upstream_error_ =
      0;  ///< how the connection to the server broke; EPIPE: behind its end of file
  int pending_error_ = 0;
  std::uint32_t generation_ = 0;
  std::uint32_t index_ = 0;
};

}  // namespace cassette
