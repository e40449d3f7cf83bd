// CONNECT through an HTTP proxy (RFC 9110 section 9.3.6): behind it, the bytes are those of a connection
// to the origin, and what is recorded and replayed is said to the origin. A tunnel that opened is no
// interaction: in replay it is opened by us; the proxy is asked when something has to go out. One that the proxy
// refuses is (http.cc), unless we have opened it already: then the program sees a refused connection.
//
// Not thread-safe: the connection's lock is held around every call.
#pragma once

#include <string>

#include "parser/response_parser.h"
#include "preload/engine/conversation/channel.h"
#include "preload/engine/conversation/conversation.h"

namespace cassette {

class Tunnel final : public Channel {
 public:
  /// `terms`: of the origin. `request`: the program's CONNECT, for the proxy; empty: the proxy has opened
  /// the tunnel already.
  Tunnel(Deck& deck, Conversation::Terms terms, std::string request);

  void from_program(std::string_view bytes) override { inner_.from_program(bytes); }
  void program_finished() override { inner_.program_finished(); }
  void program_gone(bool closed) override { inner_.program_gone(closed); }
  void program_exits() override { inner_.program_exits(); }
  void from_upstream(std::string_view bytes) override;
  void upstream_finished() override;
  void upstream_failed(int error) override { inner_.upstream_failed(error); }
  void deadline_passed() override { inner_.deadline_passed(); }

  bool lets_upstream_go() override;
  bool awaits_greeting() const override { return inner_.awaits_greeting(); }
  bool delays_break() const override { return inner_.delays_break(); }
  void pump(Output& to_program, Output& to_upstream, Output::Time now) override;
  Output::Time next_due() const override { return inner_.next_due(); }

  bool ends_program() const override;
  bool ends_upstream() const override;
  int reset_error() const override;
  bool answers_inline() const override { return inner_.answers_inline(); }
  bool is_over() const override { return inner_.is_over(); }
  bool wants_program() const override { return inner_.wants_program(); }
  bool wants_upstream() const override { return inner_.wants_upstream(); }
  std::int64_t patience() const override { return inner_.patience(); }
  bool exchanging() const override { return inner_.exchanging(); }

 private:
  void ask_anew();

  /// The proxy's part.
  enum class Phase { kNotAsked, kAsked, kOpen };

  Conversation inner_;
  Phase phase_;
  const std::string place_;  ///< of the origin
  std::string request_;
  ResponseParser answer_;
};

}  // namespace cassette
