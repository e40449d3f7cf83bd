// See connection.h. What a connection waits for, and what it does when that happens; the bytes are in traffic.cc and
// urgent.cc, the ends in endings.cc.
#include "preload/engine/connection/connection.h"

#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <exception>

#include "preload/as_tcp.h"
#include "preload/engine/clock.h"
#include "preload/engine/connection/swap.h"
#include "preload/engine/engine.h"
#include "preload/pair_name.h"
#include "store/log.h"

namespace cassette {

namespace {

/// Only the service thread is in the functions that use it; the program's own threads may have small stacks.
char service_buffer[Connection::kPiece];

}  // namespace

void Connection::begin(Deck& deck, Conversation::Terms terms, const Sockets& sockets,
                       const Endpoint& peer, Upstream upstream) {
  host_ = terms.host;
  sockets_ = sockets;
  peer_ = peer;
  local_ = {};
  upstream_ = upstream;
  program_finished_ = program_gone_ = program_ended_ = upstream_ended_ = false;
  engine_blocked_ = original_blocked_ = refused_ = false;
  given_up_ = false;
  error_told_ = cut_short_ = program_urges_ = false;
  urgent_to_upstream_ = urgent_to_program_ = urgent_held_ = 0;
  fitted_ = sockets.ballast > 0;
  engine_events_ = original_events_ = 0;
  patience_ = look_asked_ = alone_until_ = 0;
  pending_error_ = upstream_error_ = 0;
  connect_failed_ = false;
  request_piece_ = answer_piece_ = kPiece;
  connect_reported = true;
  options_.clear();
  const bool needs_original = terms.policy != UpstreamPolicy::kNever;
  conversation_.emplace(deck, std::move(terms));
  fit_buffers(sockets_.program_fd);
  name_pair();
  if (sockets.scarce && !needs_original) drop_original();
  watch();
}

void Connection::drop_original() {
  options_.read(sockets_.original, peer_.family());
  engine().close_private(sockets_.original);
  sockets_.original = -1;
}

/// Another cassette may want a server after all.
bool Connection::ensure_original() {
  if (sockets_.original >= 0) return true;
  sockets_.original = engine().move_up(
      ::socket(peer_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (sockets_.original < 0) return false;
  options_.apply(sockets_.original);
  read_in_line(sockets_.original);
  return true;
}

/// For processes that get the program's end (pair_name.h). Where it cannot be done (a filter of system calls, another socket of
/// that name) the pair stays without.
void Connection::name_pair() {
  const PairName name{peer_.address, local().address};
  sockaddr_un address;
  const socklen_t length = write_pair_name(sockets_.inode, name, &address);
  ::bind(sockets_.engine_end, reinterpret_cast<const sockaddr*>(&address), length);
}

bool Connection::is(int fd) const {
  struct stat identity {};
  return fstat(fd, &identity) == 0 && identity.st_ino == sockets_.inode &&
         identity.st_dev == sockets_.device;
}

bool Connection::move_number(int from, int to) {
  const bool is_engine_end = sockets_.engine_end == from;
  if (!is_engine_end && sockets_.original != from) return false;
  const Service::End end = is_engine_end ? Service::End::kEngine : Service::End::kOriginal;
  std::uint32_t* registered = is_engine_end ? &engine_events_ : &original_events_;
  const std::uint32_t events = *registered;
  engine().service.watch(*this, end, from, 0, registered);
  (is_engine_end ? sockets_.engine_end : sockets_.original) = to;
  engine().service.watch(*this, end, to, events, registered);
  return true;
}

// --- events ----------------------------------------------------------------------------------------

void Connection::engine_end_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    engine_blocked_ = false;
    flush_to_program();
    read_original(service_buffer, sizeof service_buffer);
  }
  if ((events & EPOLLPRI) != 0) program_urges_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    read_engine_end(service_buffer, sizeof service_buffer);
  }
  if ((events & EPOLLHUP) != 0) program_left();
  flush();
}

void Connection::original_ready(std::uint32_t events) {
  if (upstream_ == Upstream::kConnecting) {
    if (int error = error_of_original(); error != 0 || (events & EPOLLOUT) != 0) {
      finish_connect(error);
    }
  } else {
    if ((events & EPOLLERR) != 0) {
      if (int error = error_of_original()) upstream_broke(error);
    }
    // Nothing is to be read any more, and nothing can be written.
    if ((events & EPOLLHUP) != 0 && upstream_ == Upstream::kHalfClosed) upstream_broke(EPIPE);
    if ((events & EPOLLOUT) != 0 && original_blocked_) {
      original_blocked_ = false;
      flush_to_upstream();
      read_engine_end(service_buffer, sizeof service_buffer);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      read_original(service_buffer, sizeof service_buffer);
    }
  }
  flush();
}

void Connection::catch_up() {
  pollfd socket{sockets_.original, POLLOUT, 0};
  if (upstream_ != Upstream::kConnecting || poll(&socket, 1, 0) != 1) return;
  original_ready(static_cast<std::uint32_t>(socket.revents));  // epoll's bits are poll's
}

int Connection::error_of_original() const {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(sockets_.original, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

void Connection::look() {
  look_asked_ = 0;
  if (patience_ != 0 && steady_now() >= patience_ends_) conversation_->deadline_passed();
  flush();
}

std::int64_t Connection::deadline() const {
  std::int64_t due = conversation_->next_due();
  if (patience_ != 0) due = due == 0 ? patience_ends_ : std::min(due, patience_ends_);
  if (alone_until_ != 0) due = due == 0 ? alone_until_ : std::min(due, alone_until_);
  return due;
}

// --- the connection to the server ------------------------------------------------------------------

bool Connection::wants_connect() const {
  return live() && upstream_ == Upstream::kNone && conversation_->needs_upstream();
}

void Connection::connect_upstream(const std::optional<Endpoint>& address, int error) {
  if (upstream_ != Upstream::kResolving) return flush();  // let go meanwhile
  upstream_ = Upstream::kConnecting;
  if (address && !ensure_original()) {
    error = errno;
  } else if (address) {
    int status = engine().real.connect(sockets_.original, address->get(), address->length);
    error = status == 0 ? 0 : errno;
    if (error == EINPROGRESS || error == EINTR) {
      flush();
      return;
    }
  }
  finish_connect(error);
  flush();
}

void Connection::fail_connect(int error) {
  upstream_ = Upstream::kFinished;
  connect_failed_ = true;
  conversation_->upstream_failed(error);
  flush();
}

void Connection::finish_connect(int error) {
  // The program has not asked for what was tried for a greeting.
  if (error == 0 || !conversation_->awaits_greeting())
    engine().failures.connected(host_, peer_.port(), error);
  tell_waiters();
  if (error == 0) {
    upstream_ = Upstream::kConnected;
    local_ = {};  // the real one, from now on
    if (drop_ballast()) return fit_buffers(sockets_.program_fd);
    error = ECONNRESET;
  }
  upstream_ = Upstream::kFinished;
  connect_failed_ = true;
  conversation_->upstream_failed(error);
}

/// They look at what came of it behind the lock.
void Connection::tell_waiters() {
  settled.fetch_add(1);
  if (waiters.load() == 0) return;
  engine().real.syscall(SYS_futex, &settled, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

bool Connection::drop_ballast() {
  while (sockets_.ballast > 0) {
    char buffer[2048];
    ssize_t got = ::recv(sockets_.engine_end, buffer, std::min(sockets_.ballast, sizeof buffer),
                         MSG_DONTWAIT);
    if (got <= 0) return false;
    sockets_.ballast -= static_cast<std::size_t>(got);
  }
  return true;
}

/// What only the service thread does: more than the socket takes at once, something later, a server.
bool Connection::needs_service() const {
  if (sockets_.engine_end < 0 || program_gone_) return false;
  const bool holds_answer = engine_blocked_ && !conversation_->to_program().empty();
  return holds_answer || conversation_->next_due() != 0 || wants_connect();
}

/// It could not be started. Better an end than nothing for ever.
void Connection::do_without_service() {
  if (engine().told.first("service")) {
    log(LogLevel::kError,
        host_ +
            ": the service thread could not start: an answer that does not fit the socket's buffer, or is to "
            "come later, and what is not in the cassette ends with a reset");
  }
  conversation_->to_program().clear();
  cut_off();
}

/// The program reads what it has got so far, and then a reset.
void Connection::cut_off() {
  if (sockets_.engine_end < 0) return;
  if (!refused_) leave_unread_byte();
  close_engine_end();
}

void Connection::give_up() noexcept {
  given_up_ = true;
  try {
    cut_off();
    log(LogLevel::kError, "no memory for a connection: it ends with a reset");
  } catch (const std::exception&) {
  }
}

void Connection::watch() {
  if (!engine().service.runs() && needs_service()) return do_without_service();
  if (std::int64_t patience = conversation_->patience(); patience != patience_) {
    patience_ = patience;
    if (patience != 0) patience_ends_ = steady_now() + patience;
  }
  Service& service = engine().service;
  if (sockets_.engine_end >= 0) {
    std::uint32_t events = 0;
    if (takes_program()) events |= EPOLLIN | EPOLLPRI | EPOLLRDHUP;
    if (engine_blocked_) events |= EPOLLOUT;
    // A hang-up is told without being asked for; EPOLLET, so that it is told once.
    service.watch(*this, Service::End::kEngine, sockets_.engine_end,
                  program_gone_ ? 0 : (events != 0 ? events : EPOLLET), &engine_events_);
  }
  if (sockets_.original >= 0) {
    std::uint32_t events = 0;
    if (upstream_ == Upstream::kConnecting) events = EPOLLOUT;
    if (takes_upstream()) events |= EPOLLIN;
    if (original_blocked_) events |= EPOLLOUT;
    // A reset is told as well.
    if (events == 0 && server_connected()) events = EPOLLET;
    service.watch(*this, Service::End::kOriginal, sockets_.original, events, &original_events_);
  }
  if (wants_connect()) {
    look_at(1);
  } else {
    look_at(deadline());
  }
}

void Connection::look_at(std::int64_t time) {
  if (time == 0 || time == look_asked_) return;
  look_asked_ = time;
  engine().service.look_at(*this, time);
}

const Endpoint& Connection::local() {
  if (local_.length == 0 && sockets_.original >= 0) {
    local_.length = sizeof local_.address;
    ::getsockname(sockets_.original, reinterpret_cast<sockaddr*>(&local_.address), &local_.length);
    bool connected = upstream_ >= Upstream::kConnected;
    if (!connected) {
      // What the kernel would have chosen: the peer's own address on loopback, else one of ours.
      std::uint16_t port = local_.port();
      if (port == 0) port = static_cast<std::uint16_t>(32768 + sockets_.inode % 28232);
      if (peer_.is_loopback() && local_.is_any()) local_ = peer_;
      local_.set_port(port);
    }
  }
  return local_;
}

int Connection::tcp_state(int fd) const {
  if (upstream_ == Upstream::kConnecting) return TCP_SYN_SENT;
  if (refused_ || pending_error_ != 0) return TCP_CLOSE;
  return cassette::tcp_state(fd, ::send);
}

int Connection::take_error() {
  int error = pending_error_;
  pending_error_ = 0;
  return error;
}

}  // namespace cassette
