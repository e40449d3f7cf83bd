// What happens on one intercepted connection, without a socket: bytes from the program and from the
// real server come in, bytes for both and a few decisions (connect to the server, end, reset) go out.
// The connection (connection.h) moves the bytes; another front end could as well.
//
//   sniffing -> http -> relay    (the server switched protocols, or a message cannot be parsed)
//                    -> channel  (a tunnel through a proxy: tunnel.h)
//            -> channel          (TLS: secure_channel.h; a conversation of its own is inside)
//            -> relay
//            -> ended            (refused; and where all the others lead)
//
// In `http`, one exchange at a time: what the program pipelines behind a forwarded request waits in
// `input_` until its response is complete.
//
// Not thread-safe: the connection's lock is held around every call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parser/request_parser.h"
#include "parser/response_parser.h"
#include "preload/engine/conversation/channel.h"
#include "preload/engine/conversation/output.h"
#include "preload/engine/conversation/sniff.h"
#include "store/deck.h"

namespace cassette {

struct TlsSupport;

class Conversation {
 public:
  /// Where the connection leads and what may be done with it.
  struct Terms {
    std::string host;     ///< the name the program asked for, or the address
    std::string address;  ///< empty: it was made up for the name
    std::uint16_t port = 0;
    UpstreamPolicy policy = UpstreamPolicy::kNever;
    bool may_relay = false;  ///< bytes that are no HTTP may go to the real server
    bool reset_on_miss = false;
    const char* scheme = "http";
    bool within_tls = false;  ///< of the same place
    /// Gives what TLS needs, when the first connection speaks it. nullptr: TLS is not handled.
    const TlsSupport& (*tls)() = nullptr;
    /// May this place be recorded or replayed? Asked for the far end of a tunnel. nullptr: any may.
    bool (*intercepts)(const std::string& host, std::uint16_t port) = nullptr;
    double replay_speed = 0;
  };

  /// `deck` outlives the conversation. Each request is answered by whoever is on top of it when the
  /// request begins.
  Conversation(Deck& deck, Terms terms);
  ~Conversation();

  // What happened.
  void from_program(std::string_view bytes);
  /// No more bytes will come from the program; it may still read.
  void program_finished();
  /// The process ends with this connection open, or nobody waits for an answer any more.
  void program_exits();
  void from_upstream(std::string_view bytes);
  void upstream_finished();
  /// The server could not be reached, or its connection broke: an errno. `told`: it was said why.
  void upstream_failed(int error, bool told = false);
  /// patience() is over.
  void deadline_passed();

  // What is to be done.
  Output& to_program();
  const Output& to_program() const { return to_program_; }
  Output& to_upstream();
  /// When to_program() has something again for want of time; 0: nothing waits for that.
  Output::Time next_due() const;
  /// The server's connection is needed from now on.
  bool needs_upstream() const { return !to_upstream_.empty(); }
  /// Behind the last byte to the program (or upstream) comes the end of the stream.
  bool ends_program() const;
  bool ends_upstream() const;
  /// Not 0: the program is to see this errno (a reset) as soon as it has what is in to_program().
  int reset_error() const;
  /// The program's bytes can be answered at once, in its own thread; false while a server is involved.
  bool answers_inline() const;
  /// More of the program's bytes are welcome: false while enough of them wait.
  bool wants_program() const;
  bool wants_upstream() const;
  /// How long the present state may last before deadline_passed() decides, in nanoseconds; 0: for ever. A
  /// first line that stays incomplete is another protocol; where nothing may go out, a program that
  /// sends nothing waits for a server that speaks first, and would wait for ever.
  std::int64_t patience() const;
  /// A forwarded request has not got its whole response yet.
  bool exchanging() const;

 private:
  enum class Phase { kSniffing, kHttp, kChannel, kRelay, kEnded };
  static constexpr std::size_t kEnough = 256 * 1024;

  /// The request that is being forwarded, and its response as far as it is known.
  struct Exchange {
    bool active = false;
    bool records = true;
    std::int64_t began_steady = 0;  ///< nanoseconds, for the pieces
    bool recorded = false;
    bool request_complete = false;
    bool response_complete = false;
    std::vector<Piece> pieces;
  };

  void begin_request();
  void adopt_player();
  void work();
  bool settle_protocol(bool complete);
  void settle_tls();
  void miss_first_line();
  void refuse_protocol(const char* method, const char* what);
  std::size_t parse_requests(std::string_view bytes);
  void request_head();
  bool is_intercepted(const UriView& target) const;
  void tunnel_head();
  void open_tunnel(std::string request);
  void request_complete();
  bool decide();
  void play(const Decision& decision);
  void queue(const PlayedResponse& response);
  void miss(const Decision& decision, std::string_view detail);
  void answer_miss(const RequestView& request, const Decision& decision, std::string_view detail);
  void begin_exchange(bool records);
  void finish_exchange();
  Interaction interaction() const;
  void record_response();
  void record_error(int error);
  void note_piece(std::uint64_t before, std::uint64_t after);
  void note(const RequestView& request, HistoryOutcome outcome, const Decision& decision,
            int status);
  void note_exchange();
  void not_recorded(std::string_view why);
  void broken_request();
  void broken_response();
  void relay(std::string_view why);
  void refuse(std::string_view what);
  void end();
  RequestView view() const;
  Origin origin() const;
  std::string place() const;

  Deck& deck_;
  std::uint32_t generation_;  ///< of the deck, when `player_` was asked for
  std::shared_ptr<Player> player_;
  std::vector<std::shared_ptr<Player>> former_;  ///< whose answers are still being sent
  Terms terms_;
  Phase phase_ = Phase::kSniffing;
  RequestParser request_parser_;
  ResponseParser response_parser_;
  std::string input_;  ///< the program's bytes that nothing has parsed yet
  std::string raw_;    ///< the current request as sent, while it may still be forwarded
  bool keeps_raw_ = false;
  std::int64_t began_ = 0;   ///< the current request: nanoseconds since 1970
  std::int32_t thread_ = 0;  ///< and the thread that wrote its first bytes
  bool decided_ = false;
  bool answered_ = false;  ///< the current request, before its end
  Decision decision_;
  Exchange exchange_;
  std::string scratch_;  ///< for responses that have to be framed anew
  bool program_finished_ = false;
  std::unique_ptr<Channel> channel_;  ///< in `channel`
  Output to_program_;
  Output to_upstream_;
  bool ends_program_ = false;
  bool ends_upstream_ = false;
  int reset_error_ = 0;
};

}  // namespace cassette
