// See connection.h. Moves bytes between sockets and the conversation; decides nothing about HTTP.
#include "preload/engine/connection/connection.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "preload/engine/clock.h"
#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

/// The service thread reads in large pieces; the program's own threads may have small stacks.
constexpr std::size_t kServiceRead = 64 * 1024;
constexpr std::size_t kInlineRead = 2048;
/// Bytes taken in one turn before others get theirs.
constexpr std::size_t kTurn = 1024 * 1024;
/// How long an answer that the program turned its back on may take to become whole: a stream of events
/// never does.
constexpr std::int64_t kAnswerAlone = 10'000'000'000;

/// Only the service thread is in the functions that use it.
char service_buffer[kServiceRead];

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

void Connection::begin(Deck& deck, Conversation::Terms terms, const Sockets& sockets,
                       const Endpoint& peer, Upstream upstream) {
  host_ = terms.host;
  sockets_ = sockets;
  peer_ = peer;
  local_ = {};
  upstream_ = upstream;
  program_finished_ = program_gone_ = program_ended_ = upstream_ended_ = false;
  engine_blocked_ = original_blocked_ = false;
  engine_events_ = original_events_ = 0;
  patience_ = look_asked_ = alone_until_ = 0;
  pending_error_ = 0;
  connect_reported = true;
  conversation_.emplace(deck, std::move(terms));
  watch();
}

bool Connection::is(int fd) const {
  struct stat identity {};
  return fstat(fd, &identity) == 0 && identity.st_ino == sockets_.inode &&
         identity.st_dev == sockets_.device;
}

// --- the fast path ---------------------------------------------------------------------------------

ssize_t Connection::send_inline(const iovec* parts, std::size_t count) {
  if (sockets_.engine_end < 0 || upstream_ == Upstream::kConnecting ||
      !conversation_->answers_inline()) {
    return kPassThrough;
  }
  // Bytes that came past the hooks (stdio, a child) were written before these.
  char buffer[kInlineRead];
  read_engine_end(buffer, sizeof buffer);
  if (sockets_.engine_end < 0 || !conversation_->answers_inline()) return kPassThrough;
  ssize_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    conversation_->from_program({static_cast<const char*>(parts[i].iov_base), parts[i].iov_len});
    total += static_cast<ssize_t>(parts[i].iov_len);
  }
  flush();
  return total;
}

// --- events ----------------------------------------------------------------------------------------

void Connection::engine_end_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) engine_blocked_ = false;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    read_engine_end(service_buffer, sizeof service_buffer);
  }
  if ((events & EPOLLHUP) != 0) program_left();
  flush();
}

void Connection::original_ready(std::uint32_t events) {
  if (upstream_ == Upstream::kConnecting) {
    int error = 0;
    socklen_t length = sizeof error;
    engine().real.getsockopt(sockets_.original, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0 && (events & EPOLLOUT) == 0) return;
    finish_connect(error);
  } else {
    if ((events & EPOLLOUT) != 0) original_blocked_ = false;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      read_original(service_buffer, sizeof service_buffer);
    }
  }
  flush();
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

void Connection::read_engine_end(char* buffer, std::size_t size) {
  std::size_t taken = 0;
  while (sockets_.engine_end >= 0 && !program_finished_ && conversation_->wants_program() &&
         taken < kTurn) {
    ssize_t got = ::recv(sockets_.engine_end, buffer, size, MSG_DONTWAIT);
    if (got > 0) {
      taken += static_cast<std::size_t>(got);
      conversation_->from_program({buffer, static_cast<std::size_t>(got)});
    } else if (got == 0 || !would_block(errno)) {
      program_finished_ = true;
      conversation_->program_finished();
    } else {
      break;
    }
  }
}

void Connection::read_original(char* buffer, std::size_t size) {
  std::size_t taken = 0;
  while (upstream_ == Upstream::kConnected && conversation_->wants_upstream() && taken < kTurn) {
    ssize_t got = ::recv(sockets_.original, buffer, size, MSG_DONTWAIT);
    if (got > 0) {
      taken += static_cast<std::size_t>(got);
      conversation_->from_upstream({buffer, static_cast<std::size_t>(got)});
    } else if (got == 0) {
      upstream_ = Upstream::kFinished;
      conversation_->upstream_finished();
    } else if (!would_block(errno)) {
      int error = errno;
      upstream_ = Upstream::kFinished;
      conversation_->upstream_failed(error);
    } else {
      break;
    }
  }
}

// --- the connection to the server ------------------------------------------------------------------

bool Connection::wants_connect() const {
  return live() && upstream_ == Upstream::kNone && conversation_->needs_upstream();
}

void Connection::connect_upstream(const std::optional<Endpoint>& address, int error) {
  if (upstream_ != Upstream::kResolving) return flush();  // let go meanwhile
  upstream_ = Upstream::kConnecting;
  if (address) {
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
  conversation_->upstream_failed(error);
  flush();
}

void Connection::finish_connect(int error) {
  // The program has not asked for what was tried for a greeting.
  if (error == 0 || !conversation_->awaits_greeting())
    engine().failures.connected(host_, peer_.port(), error);
  if (error == 0) {
    upstream_ = Upstream::kConnected;
    if (drop_ballast()) return;
    error = ECONNRESET;
  }
  upstream_ = Upstream::kFinished;
  conversation_->upstream_failed(error);
}

bool Connection::drop_ballast() {
  while (sockets_.ballast > 0) {
    char buffer[kInlineRead];
    ssize_t got = ::recv(sockets_.engine_end, buffer, std::min(sockets_.ballast, sizeof buffer),
                         MSG_DONTWAIT);
    if (got <= 0) return false;
    sockets_.ballast -= static_cast<std::size_t>(got);
  }
  return true;
}

// --- out -------------------------------------------------------------------------------------------

void Connection::flush() {
  if (conversation_->lets_upstream_go()) let_upstream_go();
  // What goes out may make room for what comes in: a forwarded request that waited, for instance.
  flush_to_upstream();
  flush_to_program();
  // A program that goes away has sent its request all the same, and the answer is worth recording.
  bool waits = conversation_->exchanging() && upstream_ != Upstream::kFinished;
  if (!program_gone_ || !waits) {
    alone_until_ = 0;
  } else if (alone_until_ == 0) {
    alone_until_ = steady_now() + kAnswerAlone;
  } else if (steady_now() >= alone_until_) {
    conversation_->program_exits();
    waits = false;
  }
  if (program_gone_ && !waits && !owes_upstream()) close_engine_end();
  watch();
}

void Connection::flush_to_program() {
  Output& output = conversation_->to_program();
  if (program_gone_) output.clear();
  std::int64_t now = output.next_due() == 0 ? 0 : steady_now();
  while (sockets_.engine_end >= 0 && !engine_blocked_) {
    std::string_view bytes = output.front(now);
    if (bytes.empty()) break;
    ssize_t sent = engine().real.send(sockets_.engine_end, bytes.data(), bytes.size(),
                                      MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      output.consume(static_cast<std::size_t>(sent));
    } else if (errno == EINTR) {
      continue;
    } else if (would_block(errno)) {
      engine_blocked_ = true;
    } else {
      output.clear();  // the program reads no more
    }
  }
  if (sockets_.engine_end < 0 || !output.empty()) return;
  if (conversation_->reset_error() != 0) {
    reset_program();
  } else if (conversation_->ends_program() && !program_ended_) {
    program_ended_ = true;
    ::shutdown(sockets_.engine_end, SHUT_WR);
  }
}

void Connection::flush_to_upstream() {
  Output& output = conversation_->to_upstream();
  while (upstream_ == Upstream::kConnected && !original_blocked_) {
    std::string_view bytes = output.front(0);
    if (bytes.empty()) break;
    ssize_t sent = engine().real.send(sockets_.original, bytes.data(), bytes.size(),
                                      MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      output.consume(static_cast<std::size_t>(sent));
    } else if (errno == EINTR) {
      continue;
    } else if (would_block(errno)) {
      original_blocked_ = true;
    } else {
      output.clear();  // the server closed: reading tells what it still had to say, and why
    }
  }
  if (upstream_ == Upstream::kConnected && output.empty() && conversation_->ends_upstream() &&
      !upstream_ended_) {
    upstream_ended_ = true;
    ::shutdown(sockets_.original, SHUT_WR);
  }
}

// A socketpair says ECONNRESET to the program when our end is closed with bytes in it that nobody read
// (unix_release_sock() in the kernel), so there has to be one; the ballast of a connect is as good.
void Connection::reset_program() {
  pending_error_ = conversation_->reset_error();
  if (sockets_.ballast == 0 && is(sockets_.program_fd)) {
    engine().real.send(sockets_.program_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  close_engine_end();
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
  engine().service.watch(*this, Service::End::kOriginal, sockets_.original, 0, &original_events_);
  engine().close_private(sockets_.original);
  sockets_.original = -1;
  upstream_ = Upstream::kFinished;
}

/// The original can be connected again (connect(2), AF_UNSPEC). The server gets an orderly end first: what follows it is a
/// reset.
void Connection::let_upstream_go() {
  if (sockets_.original < 0) return;
  engine().service.watch(*this, Service::End::kOriginal, sockets_.original, 0, &original_events_);
  ::shutdown(sockets_.original, SHUT_RDWR);
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  engine().real.connect(sockets_.original, &nowhere, sizeof nowhere);
  int error = 0;
  socklen_t length = sizeof error;  // which the socket would keep for the next connection
  engine().real.getsockopt(sockets_.original, SOL_SOCKET, SO_ERROR, &error, &length);
  upstream_ = Upstream::kNone;
  upstream_ended_ = original_blocked_ = false;
}

void Connection::watch() {
  if (std::int64_t patience = conversation_->patience(); patience != patience_) {
    patience_ = patience;
    if (patience != 0) patience_ends_ = steady_now() + patience;
  }
  Service& service = engine().service;
  if (sockets_.engine_end >= 0) {
    std::uint32_t events = 0;
    bool connecting = upstream_ == Upstream::kConnecting || upstream_ == Upstream::kResolving;
    // While connecting only the ballast is there to be read.
    if (!(connecting && sockets_.ballast > 0) && conversation_->wants_program() &&
        !program_finished_) {
      events |= EPOLLIN | EPOLLRDHUP;
    }
    if (engine_blocked_) events |= EPOLLOUT;
    // A hang-up is told without being asked for; EPOLLET, so that it is told once.
    service.watch(*this, Service::End::kEngine, sockets_.engine_end,
                  program_gone_ ? 0 : (events != 0 ? events : EPOLLET), &engine_events_);
  }
  if (sockets_.original >= 0) {
    std::uint32_t events = 0;
    if (upstream_ == Upstream::kConnecting) events = EPOLLOUT;
    if (upstream_ == Upstream::kConnected) {
      if (conversation_->wants_upstream()) events |= EPOLLIN;
      if (original_blocked_) events |= EPOLLOUT;
    }
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

// --- the end ---------------------------------------------------------------------------------------

bool Connection::owes_upstream() const {
  return conversation_->needs_upstream() && upstream_ != Upstream::kFinished;
}

/// Nobody reads any more.
void Connection::program_left() {
  program_gone_ = true;
  conversation_->program_gone(/*closed=*/true);
}

bool Connection::abandon() {
  conversation_->program_gone(/*closed=*/false);
  bool answers = conversation_->exchanging() && upstream_ == Upstream::kConnected;
  if (!answers && !owes_upstream()) return false;
  program_gone_ = true;
  flush();
  return true;
}

void Connection::program_exits() { conversation_->program_exits(); }

void Connection::descriptor_closed() {
  pollfd end{sockets_.engine_end, POLLIN, 0};
  if (sockets_.engine_end < 0) {
    program_left();  // no event will tell
  } else if (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0) {
    // It was the last one: the descriptors are free again when the program's close() returns.
    char buffer[kInlineRead];
    read_engine_end(buffer, sizeof buffer);
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
  if (sockets_.engine_end >= 0) engine().real.close(sockets_.engine_end);
  if (sockets_.original >= 0) engine().real.close(sockets_.original);
}

const Endpoint& Connection::local() {
  if (local_.length == 0 && sockets_.original >= 0) {
    local_.length = sizeof local_.address;
    engine().real.getsockname(sockets_.original, reinterpret_cast<sockaddr*>(&local_.address),
                              &local_.length);
    bool connected = upstream_ == Upstream::kConnected || upstream_ == Upstream::kFinished;
    if (!connected) {
      // What the kernel would have chosen: the peer's own address on loopback, else one of ours.
      std::uint16_t port = local_.port();
      if (port == 0) port = static_cast<std::uint16_t>(32768 + sockets_.inode % 28232);
      if (peer_.is_loopback()) local_ = peer_;
      local_.set_port(port);
    }
  }
  return local_;
}

int Connection::take_error() {
  int error = pending_error_;
  pending_error_ = 0;
  return error;
}

// --- pool ------------------------------------------------------------------------------------------

Connection* ConnectionPool::acquire() {
  std::lock_guard guard(mutex_);
  if (!free_.empty()) {
    std::uint32_t index = free_.back();
    free_.pop_back();
    return &chunks_[index / kChunk][index % kChunk];
  }
  if (made_ % kChunk == 0) {
    auto* chunk = new (std::nothrow) Connection[kChunk];
    if (chunk == nullptr) return nullptr;
    chunks_.push_back(chunk);
  }
  Connection* connection = &chunks_.back()[made_ % kChunk];
  connection->index_ = made_++;
  return connection;
}

Connection* ConnectionPool::at(std::uint32_t index) {
  std::lock_guard guard(mutex_);
  return index < made_ ? &chunks_[index / kChunk][index % kChunk] : nullptr;
}

void ConnectionPool::give_back(Connection* connection) {
  std::lock_guard guard(mutex_);
  free_.push_back(connection->index_);
}

void ConnectionPool::lock() {
  for (std::uint32_t held = 0;;) {
    if (Connection* connection = at(held)) {
      connection->mutex.lock();
      ++held;
      continue;
    }
    mutex_.lock();
    if (held == made_) return;
    mutex_.unlock();  // one was made meanwhile
  }
}

void ConnectionPool::unlock() {
  for (std::uint32_t i = 0; i < made_; ++i) chunks_[i / kChunk][i % kChunk].mutex.unlock();
  mutex_.unlock();
}

void ConnectionPool::forget_all_in_child() {
  for (std::uint32_t i = 0; i < made_; ++i) {
    chunks_[i / kChunk][i % kChunk].drop_in_child();
  }
  // The objects stay as they are: one may be locked by a thread that does not exist here.
  chunks_.clear();
  free_.clear();
  made_ = 0;
}

}  // namespace cassette
