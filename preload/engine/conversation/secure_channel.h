// A TLS connection, without a socket: the program's end is answered by a TLS server, the real server's
// by a TLS client, and in the middle is a conversation in plain text that knows nothing of either.
//
//   program <- bytes -> [TLS server] <- plain -> Conversation <- plain -> [TLS client] <- bytes -> server
//
// While recording, the real server is asked first: the program gets a certificate when the server has
// shown its own. In replay the handshake needs nobody.
//
// Not thread-safe: the connection's lock is held around every call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "preload/engine/conversation/channel.h"
#include "preload/engine/conversation/client_hello.h"
#include "preload/engine/conversation/conversation.h"
#include "preload/engine/trust/judgements.h"
#include "preload/engine/trust/told.h"
#include "preload/engine/trust/trust.h"
#include "preload/tls_api.h"

namespace cassette {

/// What TLS needs of the process.
struct TlsSupport {
  const TlsApi* api = nullptr;  ///< nullptr: `problem` says why
  std::string problem;
  Trust* trust =
      nullptr;        ///< what real servers are checked against, where the program cannot be asked
  HostList insecure;  ///< hosts that are not checked
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
  void deadline_passed() override;

  void pump(Output& to_program, Output& to_upstream, Output::Time now) override;
  Output::Time next_due() const override { return inner_ ? inner_->next_due() : 0; }

  bool ends_program() const override {
    return failed_ || idle_closed_ ||
           (inner_ && inner_->ends_program() && inner_->to_program().empty());
  }
  bool ends_upstream() const override {
    return failed_ || (inner_ && inner_->ends_upstream() && (!client_ || upstream_closed_));
  }
  int reset_error() const override;
  bool answers_inline() const override;
  bool wants_program() const override { return !inner_ || inner_->wants_program(); }
  bool wants_upstream() const override { return !inner_ || inner_->wants_upstream(); }
  std::int64_t patience() const override;
  bool exchanging() const override { return inner_ && inner_->exchanging(); }

 private:
  void go_on();
  void present();
  void reach_server();
  void check_server();
  void program_turned_us_down();
  void program_lost_interest();
  void fail(const std::string& problem);
  void tell(const std::string& message) const;
  bool is_trusted() const;
  std::string distrusted() const;
  const std::string& name() const { return server_->server_names().front(); }
  std::string place() const;

  Deck& deck_;
  Conversation::Terms terms_;
  const TlsSupport& support_;
  const ClientHello hello_;
  std::unique_ptr<TlsServerStream> server_;  ///< the program's side
  std::unique_ptr<TlsClientStream> client_;  ///< the real server's side
  std::unique_ptr<Conversation> inner_;      ///< once the program's handshake is over
  std::string leaf_;                         ///< the certificate that the program got
  std::string plain_;   ///< from the program, while there is no inner conversation
  std::string early_;   ///< and from the server
  bool heard_ = false;  ///< something in plain text from the program
  bool checked_ = false;
  bool trusted_ = false;  ///< the real server: not a byte of a request goes to it before
  bool failed_ = false;
  bool program_closed_ = false;
  bool upstream_closed_ = false;
  bool idle_closed_ = false;  ///< the server closed before the program asked for anything
  bool hurried_ = false;      ///< the deadline has passed
  int reset_error_ = 0;
};

}  // namespace cassette
