// How a connection's bytes move between the sockets and the conversation (connection.h), in the program's own threads and
// in the service thread. No more is taken from one side than the other one takes: behind a socket that is full waits one
// piece at most, and the rest in the kernel's buffers, whose sizes are the program's (fit_buffers()).
//
// Must not decide anything about HTTP, nor what either side is told at the end (endings.cc).
#include <cerrno>

#include <algorithm>

#include "preload/engine/clock.h"
#include "preload/engine/connection/connection.h"
#include "preload/engine/connection/urgent.h"
#include "preload/engine/engine.h"

namespace cassette {

namespace {

/// The program's own threads may have small stacks.
constexpr std::size_t kInlineRead = 2048;
/// Bytes taken in one turn before others get theirs.
constexpr std::size_t kTurn = 1024 * 1024;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int buffer_of(int fd, int option) {
  int size = 0;
  socklen_t length = sizeof size;
  return ::getsockopt(fd, SOL_SOCKET, option, &size, &length) == 0 ? size : 0;
}

/// socket(7): the kernel doubles what it is given.
void set_send_buffer(int fd, int size) {
  size /= 2;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/// Half of the pair's buffer: one piece more in our hands changes little.
std::size_t piece_for(int buffer) {
  constexpr std::size_t kLeast = 1024;
  return std::clamp(static_cast<std::size_t>(std::max(buffer, 0)) / 2, kLeast, Connection::kPiece);
}

}  // namespace

// --- how much is taken ---------------------------------------------------------------------------------------------

// What the two ends of the pair hold counts against the sender's SO_SNDBUF (unix(7)), so that the program's SO_SNDBUF is for
// its end, and its SO_RCVBUF for ours. Half of it, because the original socket has all of it too. A pair has more by default
// than a TCP connection begins with (tcp_wmem in tcp(7)), and less than one on loopback gets: the smaller one holds.
void Connection::fit_buffers(int program_fd) {
  if (sockets_.original < 0 || !server_connected()) return;
  constexpr int kPair = 212992;  // net.core.wmem_default
  const int sends = buffer_of(sockets_.original, SO_SNDBUF) / 2;
  const int receives = buffer_of(sockets_.original, SO_RCVBUF) / 2;
  const bool few_sends = fitted_ || sends < kPair;
  const bool few_receives = fitted_ || receives < kPair / 4;  // less than by default
  if (few_sends && is(program_fd)) set_send_buffer(program_fd, std::min(sends, kPair));
  if (few_receives) set_send_buffer(sockets_.engine_end, std::min(receives, kPair));
  fitted_ = few_sends || few_receives;
  request_piece_ = piece_for(sends);
  answer_piece_ = piece_for(receives);
}

bool Connection::takes_program() const {
  const bool ballast_only = sockets_.ballast > 0;
  return sockets_.engine_end >= 0 && !program_finished_ && !refused_ && !original_blocked_ &&
         !ballast_only && conversation_->wants_program();
}

bool Connection::takes_upstream() const {
  return upstream_ == Upstream::kConnected && conversation_->wants_upstream() &&
         (!engine_blocked_ || program_gone_);
}

// --- in ------------------------------------------------------------------------------------------------------------

ssize_t Connection::send_inline(int fd, const iovec* parts, std::size_t count) {
  if (upstream_ == Upstream::kConnecting) catch_up();
  if (refused_ || sockets_.engine_end < 0) return send_too_late(fd);
  if (!takes_inline()) return kPassThrough;
  // Bytes that came past the hooks (stdio, a child) were written before these.
  char buffer[kInlineRead];
  read_engine_end(buffer, sizeof buffer);
  if (sockets_.engine_end < 0 || refused_ || !takes_inline()) return kPassThrough;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::string_view part(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    while (!part.empty()) {
      const std::string_view piece = part.substr(0, request_piece_);
      part.remove_prefix(piece.size());
      if (!take(piece) && total == 0) {
        // Nothing of this call has reached the server: it is this call that fails.
        flush();
        return send_too_late(fd);
      }
      total += piece.size();
      if (takes_program()) continue;
      flush();
      return static_cast<ssize_t>(total);
    }
  }
  flush();
  return static_cast<ssize_t>(total);
}

bool Connection::takes_inline() const {
  return upstream_ != Upstream::kConnecting && !original_blocked_ &&
         conversation_->answers_inline();
}

/// Bytes of the program, on to the server at once when there is one. False: that found the server gone.
bool Connection::take(std::string_view bytes, bool urgent) {
  const bool too_late = conversation_->is_over() && upstream_ == Upstream::kHalfClosed;
  if (urgent) {
    take_urgent(bytes);
  } else {
    conversation_->from_program(bytes);
  }
  if (too_late) {
    upstream_broke(EPIPE);  // a server that has closed answers them with a reset
    return true;
  }
  if (!server_connected()) return true;
  flush_to_upstream();
  return upstream_error_ == 0;
}

/// True: there may be more.
bool Connection::read_engine_end(char* buffer, std::size_t size) {
  std::size_t taken = 0;
  size = std::min(size, request_piece_);
  while (takes_program()) {
    if (taken >= kTurn) return true;
    // Of a child's that comes behind what epoll told of nobody has told yet.
    const bool may_urge = program_urges_ || taken > 0;
    const bool urgent = may_urge && urgent_is_next(sockets_.engine_end);
    ssize_t got = ::recv(sockets_.engine_end, buffer, urgent ? 1 : size, MSG_DONTWAIT);
    if (got > 0) {
      taken += static_cast<std::size_t>(got);
      take({buffer, static_cast<std::size_t>(got)}, urgent);
    } else if (got == 0 || !would_block(errno)) {
      program_finished_ = true;
      conversation_->program_finished();
    } else {
      break;
    }
  }
  return false;
}

void Connection::read_original(char* buffer, std::size_t size) {
  std::size_t taken = 0;
  size = std::min(size, answer_piece_);
  while (takes_upstream() && taken < kTurn) {
    const bool urgent = urgent_is_next(sockets_.original);
    ssize_t got = ::recv(sockets_.original, buffer, urgent ? 1 : size, MSG_DONTWAIT);
    if (got > 0) {
      taken += static_cast<std::size_t>(got);
      const std::string_view bytes(buffer, static_cast<std::size_t>(got));
      if (urgent) {
        hear_urgent(bytes);
      } else {
        conversation_->from_upstream(bytes);
      }
      flush_to_program();
    } else if (got == 0) {
      upstream_said_all();
    } else if (!would_block(errno)) {
      upstream_broke(errno);
      if (upstream_ == Upstream::kConnected) upstream_said_all();
    } else {
      break;
    }
  }
}

// --- out -----------------------------------------------------------------------------------------------------------

void Connection::flush() {
  if (conversation_->lets_upstream_go()) let_upstream_go();
  // What goes out may make room for what comes in: a forwarded request that waited, for instance.
  flush_to_upstream();
  flush_to_program();
  if (upstream_error_ != 0 && !conversation_->delays_break()) refuse_program();
  if (program_gone_) finish_with_program();
  watch();
}

void Connection::flush_to_program() {
  Output& output = conversation_->to_program();
  if (program_gone_) output.clear();
  std::int64_t now = output.next_due() == 0 ? 0 : steady_now();
  while (sockets_.engine_end >= 0 && !engine_blocked_) {
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    std::string_view bytes = next_piece(output.front(now), urgent_to_program_, &flags);
    if (bytes.empty()) break;
    ssize_t sent = ::send(sockets_.engine_end, bytes.data(), bytes.size(), flags);
    if (sent >= 0) {
      output.consume(static_cast<std::size_t>(sent));
      count_sent(&urgent_to_program_, sent);
    } else if (errno == EINTR) {
      continue;
    } else if (errno == EOPNOTSUPP && urgent_to_program_ == 1) {
      urgent_to_program_ = 0;
      if (!reads_in_line()) output.consume(1);  // it is not in what the program receives
    } else if (would_block(errno)) {
      engine_blocked_ = true;
    } else {
      output.clear();  // the program reads no more
    }
  }
  if (!output.empty()) return;
  urgent_to_program_ = 0;
  if (sockets_.engine_end >= 0) end_program();
}

void Connection::flush_to_upstream() {
  Output& output = conversation_->to_upstream();
  if (upstream_error_ != 0) output.clear();
  place_urgent();
  while (server_connected() && !original_blocked_) {
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    std::string_view bytes = next_piece(output.front(0), urgent_to_upstream_, &flags);
    if (bytes.empty()) break;
    ssize_t sent = ::send(sockets_.original, bytes.data(), bytes.size(), flags);
    if (sent >= 0) {
      output.consume(static_cast<std::size_t>(sent));
      count_sent(&urgent_to_upstream_, sent);
    } else if (errno == EINTR) {
      continue;
    } else if (would_block(errno)) {
      original_blocked_ = true;
    } else {
      upstream_broke(errno);
    }
  }
  if (!output.empty()) return;
  urgent_to_upstream_ = 0;
  end_upstream();
}

}  // namespace cassette
