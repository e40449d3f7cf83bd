// What happens on one intercepted connection, without a socket: bytes from the program and from the
// real server come in, bytes for both and a few decisions (connect to the server, end, reset) go out.
// The connection (connection.h) moves the bytes; another front end could as well.
//
//   sniffing -> http -> relay    (the server switched protocols, or a message cannot be parsed)
//                    -> channel  (a tunnel through a proxy: tunnel.h)
//            -> channel          (TLS: secure_channel.h; a conversation of its own is inside)
//            -> relay
//            -> held             (nothing more is said: a recorded silence, or an answer without an end)
//            -> ended            (refused; and where all the others lead)
//
// In `http`, one exchange at a time: what the program pipelines behind a forwarded request waits in
// `input_` until its response is complete. How requests are taken and forwarded is in http.cc, how answers are
// played in playing.cc, what is recorded of the real ones in recording.cc.
//
// Not thread-safe: the connection's lock is held around every call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

class ClientHelloReader;
struct ClientHello;
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
    /// Is TLS with this place none of ours? nullptr: with none.
    bool (*passes_tls)(const std::string& host, std::uint16_t port) = nullptr;
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
  /// The program has closed its end, or its process ends with it open (`closed` is false), which says nothing of its
  /// patience: it reads no more. What it waited for and got nothing of is recorded as that.
  void program_gone(bool closed);
  /// Behind program_gone(): nobody waits any longer for an answer that had begun.
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
  /// The server's connection is needed from now on: bytes are to go there, or it is to speak first.
  bool needs_upstream() const { return !to_upstream_.empty() || greeting_ == Greeting::kAwaited; }
  /// For the latter alone.
  bool awaits_greeting() const {
    return channel_ ? channel_->awaits_greeting()
                    : greeting_ == Greeting::kAwaited && to_upstream_.empty();
  }
  /// The server broke its connection off, and the program is still to say what it would have said before it heard of that.
  bool delays_break() const { return channel_ && channel_->delays_break(); }
  /// True once when a connection to the server that was made for its greeting is of no use: it is to be ended, not a byte was
  /// sent on it. Another may be needed later.
  bool lets_upstream_go();
  /// Behind the last byte to the program (or upstream) comes the end of the stream.
  bool ends_program() const;
  bool ends_upstream() const;
  /// Not 0: the program is to see this errno (a reset) as soon as it has what is in to_program().
  int reset_error() const;
  /// The program's bytes can be answered, or passed on, at once, in its own thread; false while a server's answer has to
  /// come first, and while anything waits for the server.
  bool answers_inline() const;
  /// Whatever the program still sends is for nobody.
  bool is_over() const { return channel_ ? channel_->is_over() : phase_ == Phase::kEnded; }
  /// More of the program's bytes are welcome: false while enough of them wait.
  bool wants_program() const;
  bool wants_upstream() const;
  /// How long the present state may last before deadline_passed() decides, in nanoseconds; 0: for ever. A
  /// first line that stays incomplete is another protocol; a program that sends nothing waits for a server that
  /// speaks first, and would wait for ever where nobody is connected to it.
  std::int64_t patience() const;
  /// It is known what the program speaks.
  bool settled() const { return phase_ != Phase::kSniffing; }
  /// Its bytes are those of the connection: there is no channel in between.
  bool is_plain() const { return !channel_; }
  /// How many bytes of the program wait for others.
  std::size_t held() const { return input_.size(); }
  /// What either side says goes to the other as it is.
  bool relays() const { return phase_ == Phase::kRelay; }
  /// A forwarded request has not got its whole response yet.
  bool exchanging() const;

 private:
  enum class Phase { kSniffing, kHttp, kChannel, kRelay, kHeld, kEnded };
  /// Of a server that may speak first, where none was connected to from the start.
  enum class Greeting : std::uint8_t {
    kNotAwaited,
    kAwaited,  ///< the server is connected to for this alone
    kFailed,   ///< it could not be, or broke off
  };
  static constexpr std::size_t kEnough = 256 * 1024;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

  /// How the body of a response has come so far.
  struct Course {
    std::vector<Piece> pieces;
    Piece newest;  ///< also what was too close to another to be a piece
    std::uint64_t size = 0;
  };

  /// The request that is being forwarded, and its response as far as it is known.
  struct Exchange {
    bool active = false;
    bool records = true;
    /// Nanoseconds. When the request was sent: its last byte, or its head where an answer began before that.
    std::int64_t sent = 0;
    bool recorded = false;
    bool request_complete = false;
    bool response_complete = false;
    bool has_begun = false;           ///< anything of an answer came
    bool has_head = false;            ///< of the final response
    bool continued = false;           ///< the server said 100, and the request had asked for that
    std::uint32_t message_began = 0;  ///< the first byte of what is being read, milliseconds
    std::uint32_t first_byte = 0;     ///< and of the final response
    std::vector<InformationalResponse> informational;
    Course course;
    bool saw_head = false;
    std::optional<Course> seen;  ///< as it was when the program left
  };

  /// The answer that is being played while its request is still coming.
  struct Playing {
    bool active = false;
    PlayedResponse response;
    std::size_t next = 0;  ///< of its pieces
    Output::Time began = 0;
    Output::Time last = 0;  ///< when the last one goes out
  };

  void begin_request();
  void adopt_player();
  void work();
  bool settle_protocol(bool complete);
  bool settle_tls(bool complete);
  void settle_hello(const ClientHello& hello);
  void take_tls_apart(const ClientHello& hello);
  void settle_other(const std::string& what);
  // greeting.cc
  bool may_await_greeting() const;
  bool speaks_http() const;
  bool waits_for_server() const;
  std::int64_t silence_patience() const;
  void silence_passed();
  void stop_awaiting();
  void greeting_failed(int error);
  void miss_first_line();
  void refuse_protocol(const char* method, const char* what);
  std::size_t parse_requests(std::string_view bytes);
  void request_head();
  bool is_intercepted(const UriView& target) const;
  void tunnel_head();
  void open_tunnel(std::string request);
  void request_complete();
  bool decide();
  bool awaits_body_or_request() const;
  bool settle_body(std::string_view bytes);
  void next_request_instead_of_body();
  // playing.cc
  void play(const Decision& decision);
  bool play_early();
  void begin_playing(const PlayedResponse& response);
  void play_on(std::uint64_t request_bytes);
  void finish_playing();
  void hold();
  void miss(const Decision& decision, std::string_view detail);
  void answer_miss(const RequestView& request, const Decision& decision, std::string_view detail);
  // http.cc again
  void begin_exchange(bool records);
  void request_sent();
  void finish_exchange();
  void meet_closed_connection();
  // recording.cc
  Interaction interaction() const;
  void note_message_begin();
  void note_head();
  void note_informational();
  void note_piece(std::uint64_t before, std::uint64_t after);
  std::uint32_t milliseconds_since_sent() const;
  bool came_with_head() const;
  void record_response();
  void record_cut(ResponseEnd end, std::string_view error);
  void record_error(std::string_view error);
  void record(Interaction interaction);
  void give_up(bool closed);
  void record_what_came();
  void note_upstream_closed();
  void note_closing();
  void note(const RequestView& request, HistoryOutcome outcome, const Decision& decision,
            int status);
  void note_exchange();
  void not_recorded(std::string_view why);
  void broken_request();
  void broken_response();
  void relay(std::string_view why);
  void refuse(std::string_view what);
  void end();
  bool may_forward() const { return terms_.policy != UpstreamPolicy::kNever; }
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
  /// Of what turned out to be TLS, while its first message is incomplete.
  std::unique_ptr<ClientHelloReader> hello_;
  std::size_t hello_read_ = 0;  ///< of `input_`
  std::string raw_;             ///< the current request as sent, while it may still be forwarded
  bool keeps_raw_ = false;
  std::int64_t began_ = 0;   ///< the current request: nanoseconds since 1970
  std::int32_t thread_ = 0;  ///< and the thread that wrote its first bytes
  bool decided_ = false;
  bool answered_ = false;      ///< the current request, before its end
  bool body_follows_ = false;  ///< its body comes, although it was answered without
  Decision decision_;
  Exchange exchange_;
  Playing playing_;
  std::string scratch_;  ///< for responses that have to be framed anew
  bool program_finished_ = false;
  bool program_gone_ = false;
  bool silent_ = false;  ///< it left a request unanswered: what still comes answers that
  bool end_announced_ =
      false;  ///< an answer, or its request, said that no other follows on the connection
  bool upstream_over_ = false;  ///< the server closed the connection between two requests
  /// The answer that was recorded last, and when; nothing: another request came, or it is not recorded.
  std::optional<RecordName> recorded_;
  std::int64_t recorded_at_ = 0;
  bool closes_ = false;               ///< the server closed the connection right behind it
  std::unique_ptr<Channel> channel_;  ///< in `channel`
  Output to_program_;
  Output to_upstream_;
  bool ends_program_ = false;
  bool ends_upstream_ = false;
  int reset_error_ = 0;
  Greeting greeting_ = Greeting::kNotAwaited;
  int greeting_error_ = 0;
  bool lets_upstream_go_ = false;
};

}  // namespace cassette
