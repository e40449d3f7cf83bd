// What a conversation hands its bytes on to when they turn out to be no plain HTTP of its own: TLS
// (secure_channel.h), or a tunnel through a proxy (tunnel.h). Inside is a conversation again.
//
// Not thread-safe: the connection's lock is held around every call.
#pragma once

#include <cstdint>
#include <string_view>

#include "preload/engine/conversation/output.h"

namespace cassette {

/// The functions mean what those of the same name in conversation.h do.
class Channel {
 public:
  virtual ~Channel() = default;

  virtual void from_program(std::string_view bytes) = 0;
  virtual void program_finished() = 0;
  virtual void program_gone(bool closed) = 0;
  virtual void program_exits() = 0;
  virtual void from_upstream(std::string_view bytes) = 0;
  virtual void upstream_finished() = 0;
  virtual void upstream_failed(int error) = 0;
  virtual void deadline_passed() = 0;

  virtual bool lets_upstream_go() = 0;
  virtual bool awaits_greeting() const = 0;
  virtual bool delays_break() const = 0;

  /// Moves what is due to both sides.
  virtual void pump(Output& to_program, Output& to_upstream, Output::Time now) = 0;
  /// When pump() has something again for want of time; 0: nothing waits for that.
  virtual Output::Time next_due() const = 0;

  virtual bool ends_program() const = 0;
  virtual bool ends_upstream() const = 0;
  virtual int reset_error() const = 0;
  virtual bool answers_inline() const = 0;
  virtual bool is_over() const = 0;
  virtual bool wants_program() const = 0;
  virtual bool wants_upstream() const = 0;
  virtual std::int64_t patience() const = 0;
  virtual bool exchanging() const = 0;
};

}  // namespace cassette
