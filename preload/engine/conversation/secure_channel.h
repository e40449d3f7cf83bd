// A TLS connection, without a socket: the program's end is answered by a TLS server, the real server's
// by a TLS client, and in the middle is a conversation in plain text that knows nothing of either.
//
//   program <- bytes -> [TLS server] <- plain -> Conversation <- plain -> [TLS client] <- bytes -> server
//
// While recording, the real server is asked first, with what the program's ClientHello offers, and the program is shown a
// certificate that is like the server's. It judges that, as it would have judged the real one: what it says in
// plain text is its verdict, and goes on to the server. A server that fails the handshake fails it for the program, byte for
// byte, or, behind its certificate, by the same alert. In replay the handshake needs nobody: the program is shown what was
// recorded of the server, or an ordinary certificate (showing.cc).
//
// Where the server is only asked when there is something to record, it must be as good as what the program was shown.
//
// Another protocol than HTTP within is relayed with all that belongs to TLS: an end of one direction is one for the other
// side too, and what follows on the same connection without TLS goes there as it is.
//
// Not thread-safe: the connection's lock is held around every call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/client_hello.h"
#include "preload/engine/conversation/channel.h"
#include "preload/engine/conversation/conversation.h"
#include "preload/engine/trust/judgements.h"
#include "preload/engine/trust/told.h"
#include "preload/engine/trust/trust.h"
#include "preload/tls_api.h"
#include "store/log.h"

namespace cassette {

/// What TLS needs of the process.
struct TlsSupport {
  const TlsApi* api = nullptr;  ///< nullptr: `problem` says why
  std::string problem;
  Trust* trust =
      nullptr;        ///< what real servers are checked against, where the program cannot be asked
  HostList insecure;  ///< hosts for which a program gets an ordinary certificate in any case
  /// What is shown to a real server that asks for a certificate. nullptr: nothing is.
  ClientIdentity (*identity)(const std::string& host, std::uint16_t port) = nullptr;
  Judgements* judgements = nullptr;
  Told* told = nullptr;
  /// Lets the program's TLS libraries know the session's authority, and ask `judgements`.
  void (*bring_trust)() = nullptr;
};

class SecureChannel final : public Channel {
 public:
  /// `hello`: the program's, whose bytes come to from_program() all the same.
  SecureChannel(Deck& deck, Conversation::Terms terms, const TlsSupport& support,
                const ClientHello& hello);

  void from_program(std::string_view bytes) override;
  void program_finished() override;
  void program_gone(bool closed) override;
  void program_exits() override;
  void from_upstream(std::string_view bytes) override;
  void upstream_finished() override;
  void upstream_failed(int error) override;
  void deadline_passed() override {
    if (inner_) inner_->deadline_passed();
  }

  void pump(Output& to_program, Output& to_upstream, Output::Time now) override;
  Output::Time next_due() const override { return inner_ ? inner_->next_due() : 0; }

  bool ends_program() const override;
  bool ends_upstream() const override;
  bool lets_upstream_go() override;
  bool awaits_greeting() const override { return inner_ && inner_->awaits_greeting(); }
  bool delays_break() const override { return broken_ && !inner_ && !failed_; }
  int reset_error() const override;
  bool answers_inline() const override;
  bool is_over() const override { return inner_ && inner_->is_over(); }
  bool wants_program() const override {
    return !inner_ || inner_->wants_program() || (relays() && program_closed_);
  }
  bool wants_upstream() const override { return !inner_ || inner_->wants_upstream(); }
  std::int64_t patience() const override { return inner_ ? inner_->patience() : 0; }
  bool exchanging() const override { return inner_ && inner_->exchanging(); }

 private:
  void go_on();
  void pass_plain();
  void program_closes();
  void upstream_closes();
  bool relays() const { return inner_ && inner_->relays(); }
  /// A connection to the server, if there is one, was made before the program spoke TLS.
  bool leaves_upstream_alone() const {
    return !client_ && terms_.policy != UpstreamPolicy::kAtConnect;
  }
  void show_server();
  void show_recorded();
  void show(ServerFace face, Judgements::Server server);
  void reach_server();
  void server_opened();
  void tell_of_certificate() const;
  /// `last`: what came from it then.
  void server_failed(std::string_view last);
  /// How the server broke TLS off: by an alert (its number), an error (errno), or by saying no more.
  struct Break {
    int alert = 0;
    int error = 0;
  };
  void break_off(const Break& how);
  bool waits_for_break(std::string_view bytes);
  void end_broken();
  bool is_as_good_as_shown() const;
  bool is_trusted() const;
  void note_server();
  /// A server that some program would not have.
  bool refuses_what_was_recorded() const { return !client_ && !shown_.empty(); }
  void program_turned_us_down();
  void program_lost_interest();
  void fail(const std::string& problem);
  void tell(LogLevel level, const std::string& message) const;
  bool is_insecure() const { return support_.insecure.contains(name(), terms_.port); }
  ChainVerdict judge(const std::vector<std::string>& chain, std::int64_t at) const;
  const std::string& name() const { return names_.front(); }
  std::string place() const;

  Deck& deck_;
  Conversation::Terms terms_;
  const TlsSupport& support_;
  const ClientHello hello_;
  const ServerNames names_;                  ///< whom the program wants
  std::unique_ptr<TlsServerStream> server_;  ///< the program's side
  std::unique_ptr<TlsClientStream> client_;  ///< the real server's side
  std::unique_ptr<Conversation> inner_;      ///< once the program's handshake is over
  std::string leaf_;                         ///< the certificate that the program got
  std::vector<std::string> shown_;  ///< and the chain that it is like; empty: an ordinary one
  ChainVerdict verdict_;            ///< of the real server, by the files that the program read
  std::string plain_;               ///< from the program, while there is no inner conversation
  std::string early_;               ///< and from the server
  std::string raw_;  ///< what the server sent in its handshake, while the program's waits for that
  bool heard_ = false;  ///< something in plain text from the program: its verdict
  bool noted_ = false;
  bool has_identity_ = false;  ///< to show to the real server
  bool may_send_ = false;      ///< to the real server, what the program says
  bool failed_ = false;
  bool passes_failure_ =
      false;  ///< the server failed the handshake: what it sends goes to the program as it is
  std::optional<Break> broken_;
  std::string
      flight_;  ///< what the program says in its handshake with a server that has broken it off
  bool alerted_ = false;          ///< the program has been told of that
  bool program_closed_ = false;   ///< it has said in TLS that it sends no more
  bool upstream_closed_ = false;  ///< we have said so to the server
  // Another protocol than HTTP, whose two ends of TLS and of the connection are each passed on as they come.
  bool program_ended_ = false;
  bool upstream_ended_ = false;
  bool unused_ended_ = false;  ///< a connection that was left alone
  bool unused_let_go_ = false;
  std::string rest_of_program_;  ///< behind the end of TLS (STARTTLS the other way round)
  std::string rest_of_upstream_;
  std::string unreadable_;          ///< of a server that broke off without an alert
  bool passed_unreadable_ = false;  ///< to the program, which says nothing of worth behind it
  bool closes_early_ = false;       ///< the server does, before the program's handshake is over
  int reset_error_ = 0;
};

}  // namespace cassette
