// How the end of one side of a connection is told to the other (connection.h), with what TCP would have said, as early as
// it would have: an end of file, a reset, a write that fails. A socketpair knows three things (af_unix.c of the kernel):
// shutdown of our end makes the program's reads end (SHUT_WR) or its writes fail with EPIPE (SHUT_RD), and closing it with
// bytes that nobody read is ECONNRESET, told once. What the server said before stays readable in each case.
//
// Must not move bytes (traffic.cc).
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "preload/engine/clock.h"
#include "preload/engine/connection/connection.h"
#include "preload/engine/connection/swap.h"
#include "preload/engine/engine.h"

namespace cassette {

namespace {

constexpr std::size_t kInlineRead = 2048;
/// How long an answer that the program turned its back on may take to become whole: a stream of events
/// never does.
constexpr std::int64_t kAnswerAlone = 10'000'000'000;

}  // namespace

// --- of the server -------------------------------------------------------------------------------------------------

/// The server's connection is broken: nothing more goes there. What it said before is read first, so that the program's reads
/// end when its writes begin to fail.
void Connection::upstream_broke(int error) {
  if (upstream_error_ != 0) return;
  upstream_error_ = error;
  original_blocked_ = false;
  conversation_->to_upstream().clear();
  if (upstream_ == Upstream::kHalfClosed) {
    upstream_ = Upstream::kFinished;
  } else {
    char buffer[kInlineRead];
    read_original(buffer, sizeof buffer);
    flush_to_program();
  }
  if (!conversation_->delays_break()) refuse_program();
}

/// Everything that it said was read.
void Connection::upstream_said_all() {
  const bool broke = upstream_error_ != 0;
  upstream_ = broke || upstream_ended_ ? Upstream::kFinished : Upstream::kHalfClosed;
  if (broke && upstream_error_ != EPIPE) {
    conversation_->upstream_failed(upstream_error_);
  } else {
    conversation_->upstream_finished();
  }
}

/// Nobody takes what the program sends: its next write fails, and one that waits for room is woken.
void Connection::refuse_program() {
  if (refused_ || sockets_.engine_end < 0) return;
  refused_ = true;
  const bool resets = upstream_error_ == ECONNRESET;
  if (resets) leave_unread_byte();  // fails where there are enough of them
  ::shutdown(sockets_.engine_end, SHUT_RD);
  // TCP calls a socket writable of which writes fail. Not before the shutdown: more might come all the time.
  drain_engine_end(/*keep=*/resets ? 1 : 0);
}

/// A send of the program's behind the end: a reset is told once (tcp(7)), and the kernel says EPIPE from then on.
ssize_t Connection::send_too_late(int fd) {
  int error = 0;
  if (sockets_.engine_end < 0) {
    socklen_t length = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    // What only we know; of a reset the kernel knows, and whether that was told already.
    const int pending = take_error();
    if (pending != 0 && pending != ECONNRESET) error = pending;
    if (error == 0 && cut_short_ && !error_told_) error = upstream_error_;
  } else if (!error_told_ && upstream_error_ != EPIPE) {
    error = upstream_error_;
    drain_engine_end(0);  // the byte that would have told it a second time
  }
  if (error == 0) return kPassThrough;
  error_told_ = true;
  errno = error;
  return -1;
}

/// The kernel has told it the error, and it told the program of the bytes that went before.
void Connection::send_cut_short() { cut_short_ = upstream_error_ != 0; }

/// Everything that the program is to read was given to it.
void Connection::end_program() {
  if (conversation_->reset_error() != 0) {
    reset_program();
  } else if (conversation_->ends_program()) {
    if (refused_) return close_engine_end();
    if (program_ended_) return;
    program_ended_ = true;
    ::shutdown(sockets_.engine_end, SHUT_WR);
  }
}

void Connection::reset_program() {
  const int error = conversation_->reset_error();
  if (error_told_) {
    drain_engine_end(0);
  } else if (!refused_) {
    leave_unread_byte();
  }
  // Of a server that broke a connection that stood the kernel tells alone.
  pending_error_ = error_told_ || upstream_error_ == ECONNRESET ? 0 : error;
  close_engine_end();
}

/// For a reset (see above). The ballast of a connect is as good.
bool Connection::leave_unread_byte() {
  if (sockets_.ballast > 0) return true;
  return is(sockets_.program_fd) &&
         ::send(sockets_.program_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

/// Reads away what no conversation wants any more, but for `keep` bytes.
void Connection::drain_engine_end(int keep) {
  char buffer[kInlineRead];
  int unread = 0;
  if (ioctl(sockets_.engine_end, FIONREAD, &unread) != 0) return;
  while (unread > keep) {
    const auto size = std::min(static_cast<std::size_t>(unread - keep), sizeof buffer);
    const ssize_t got = ::recv(sockets_.engine_end, buffer, size, MSG_DONTWAIT);
    if (got <= 0) return;
    unread -= static_cast<int>(got);
  }
}

void Connection::close_engine_end() {
  if (sockets_.engine_end < 0) return;
  engine().service.watch(*this, Service::End::kEngine, sockets_.engine_end, 0, &engine_events_);
  engine().close_private(sockets_.engine_end);
  sockets_.engine_end = -1;
  leave_original();
}

void Connection::leave_original() {
  if (sockets_.original < 0) return;
  if (upstream_ == Upstream::kConnecting) tell_waiters();
  if (!program_gone_) local();  // the program may ask for it behind the end, too
  engine().service.watch(*this, Service::End::kOriginal, sockets_.original, 0, &original_events_);
  upstream_ = Upstream::kFinished;
  if (connect_failed_ && !program_gone_) return;  // the program may connect it again
  engine().close_private(sockets_.original);
  sockets_.original = -1;
}

bool Connection::dissolve(int fd) {
  if (sockets_.original >= 0) {
    engine().service.watch(*this, Service::End::kOriginal, sockets_.original, 0, &original_events_);
  }
  if (!unswap_socket(fd, sockets_.original, peer_.family())) return false;
  conversation_->program_gone(/*closed=*/true);
  conversation_->program_exits();
  program_gone_ = true;
  if (sockets_.engine_end >= 0) close_engine_end();
  leave_original();
  return true;
}

/// The original can be connected again (connect(2), AF_UNSPEC). The server gets an orderly end first: what follows it is a
/// reset.
void Connection::let_upstream_go() {
  if (sockets_.original < 0 || upstream_ == Upstream::kNone) return;
  engine().service.watch(*this, Service::End::kOriginal, sockets_.original, 0, &original_events_);
  ::shutdown(sockets_.original, SHUT_RDWR);
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  ::connect(sockets_.original, &nowhere, sizeof nowhere);
  int error = 0;
  socklen_t length = sizeof error;  // which the socket would keep for the next connection
  ::getsockopt(sockets_.original, SOL_SOCKET, SO_ERROR, &error, &length);
  upstream_ = Upstream::kNone;
  upstream_ended_ = original_blocked_ = false;
}

// --- of the program ------------------------------------------------------------------------------------------------

/// Everything that the server is to have was given to it. One that has said all may go on listening, as long as the program
/// has more for it.
void Connection::end_upstream() {
  if (upstream_ended_ || !server_connected() || !conversation_->ends_upstream()) return;
  if (upstream_ == Upstream::kHalfClosed && !program_finished_) return;
  upstream_ended_ = true;
  ::shutdown(sockets_.original, SHUT_WR);
  if (upstream_ == Upstream::kHalfClosed) upstream_ = Upstream::kFinished;
}

/// Nobody reads any more.
void Connection::program_left() { program_gone_ = true; }

/// What it wrote before it left is still sent, and an answer to it is worth recording.
void Connection::finish_with_program() {
  char buffer[kInlineRead];
  while (read_engine_end(buffer, sizeof buffer)) {
  }
  if (waits_for_room()) return;
  conversation_->program_gone(/*closed=*/true);
  flush_to_upstream();
  bool waits = conversation_->exchanging() && upstream_ < Upstream::kHalfClosed;
  if (!waits) {
    alone_until_ = 0;
  } else if (alone_until_ == 0) {
    alone_until_ = steady_now() + kAnswerAlone;
  } else if (steady_now() >= alone_until_) {
    conversation_->program_exits();
    waits = false;
  }
  if (!waits && !owes_upstream()) close_engine_end();
}

/// There may be bytes of the program that the server has no room for yet.
bool Connection::waits_for_room() const {
  return original_blocked_ && !program_finished_ && !refused_ && sockets_.engine_end >= 0;
}

bool Connection::owes_upstream() const {
  return conversation_->needs_upstream() && upstream_ != Upstream::kFinished &&
         upstream_error_ == 0;
}

bool Connection::abandon() {
  if (given_up_) return false;
  char buffer[kInlineRead];
  if (server_connected()) read_engine_end(buffer, sizeof buffer);
  if (waits_for_room()) {
    flush();
    return true;
  }
  conversation_->program_gone(/*closed=*/false);
  bool answers = conversation_->exchanging() && upstream_ == Upstream::kConnected;
  if (!answers && !owes_upstream()) return false;
  program_gone_ = true;
  flush();
  return true;
}

void Connection::program_exits() {
  if (!given_up_) conversation_->program_exits();
}

void Connection::descriptor_closed() {
  pollfd end{sockets_.engine_end, POLLIN, 0};
  if (given_up_) {
    program_left();
  } else if (sockets_.engine_end < 0) {
    program_left();  // no event will tell
    conversation_->program_gone(/*closed=*/true);
  } else if (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0) {
    // It was the last one: the descriptors are free again when the program's close() returns.
    program_left();
    flush();
  }
}

bool Connection::finished() const { return live() && program_gone_ && sockets_.engine_end < 0; }

void Connection::release() {
  close_engine_end();
  leave_original();
  conversation_.reset();
  sockets_ = {};
  ++generation_;
}

void Connection::drop_in_child() {
  if (sockets_.engine_end >= 0) ::close(sockets_.engine_end);
  if (sockets_.original >= 0) ::close(sockets_.original);
}

}  // namespace cassette
