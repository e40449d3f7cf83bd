// See connect.h.
//
//   left alone (port, ignored host, not TCP)  -> the real connect; a made-up address is resolved first
//   the mode lets nothing out                 -> swapped, connected at once, nothing on the network
//   recording                                 -> the real connect on the program's own socket; its errno
//                                                is the program's; then swapped
#include "preload/engine/connection/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "preload/engine/connection/swap.h"
#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

bool is_tcp(int fd) {
  int protocol = 0;
  socklen_t length = sizeof protocol;
  constexpr int kMultipathTcp = 262;  // IPPROTO_MPTCP, in headers newer than glibc 2.31's
  return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
         (protocol == IPPROTO_TCP || protocol == kMultipathTcp);
}

bool is_nonblocking(int fd) {
  int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

/// What poll(2) has to say at once of a connection that is under way: on loopback it is made before connect() returns.
short events_now(int fd) {
  pollfd socket{fd, POLLOUT, 0};
  return poll(&socket, 1, 0) == 1 ? socket.revents : short{0};
}

/// A name that was made up for replay, and a place that is left alone after all.
int connect_really(int fd, const Endpoint& peer) {
  if (!Names::is_made_up(peer)) return kPassThrough;
  int error = 0;
  std::optional<Endpoint> address = real_address(peer, &error);
  if (!address) {
    errno = error;
    return -1;
  }
  return engine().real.connect(fd, address->get(), address->length);
}

}  // namespace

int connect_bypassed(int fd, const sockaddr* address, socklen_t length) {
  std::optional<Endpoint> peer = Endpoint::from(address, length);
  return peer ? connect_really(fd, *peer) : kPassThrough;
}

bool refuses_datagrams(const sockaddr* address, socklen_t length) {
  std::optional<Endpoint> peer = Endpoint::from(address, length);
  std::shared_ptr<Player> player = peer ? engine().player() : nullptr;
  if (player == nullptr) return false;
  const std::string host = engine().names.name_of(*peer).value_or(peer->host());
  if (!engine().intercepts(host, peer->port()) || !engine().intercepts(peer->host(), peer->port()))
    return false;
  if (player->upstream_policy(host, peer->port()) != UpstreamPolicy::kNever) return false;
  const std::string place = host + ":" + std::to_string(peer->port());
  constexpr std::uint16_t kDns = 53;  // clients of HTTP/3 fall back, and need no word about it
  if (engine().told.first("udp " + place)) {
    log(peer->port() == kDns ? LogLevel::kWarn : LogLevel::kInfo,
        place + ": UDP is refused in replay (ignore-hosts lets it through)");
  }
  return true;
}

int connect_socket(int fd, const sockaddr* address, socklen_t length) {
  std::optional<Endpoint> peer = Endpoint::from(address, length);
  if (!peer || peer->port() == 0 || !is_tcp(fd)) return kPassThrough;
  std::shared_ptr<Player> player = engine().player();
  if (player == nullptr) return kPassThrough;
  std::string host = engine().names.name_of(*peer).value_or(peer->host());
  if (is_left_alone(peer->port()) || !engine().intercepts(host, peer->port()) ||
      !engine().intercepts(peer->host(), peer->port())) {
    return connect_really(fd, *peer);
  }

  Conversation::Terms terms;
  terms.policy = player->upstream_policy(host, peer->port());
  terms.may_relay = player->may_relay();
  terms.tls = []() -> const TlsSupport& { return engine().tls(); };
  terms.intercepts = [](const std::string& name, std::uint16_t port) {
    return !is_left_alone(port) && engine().intercepts(name, port);
  };
  terms.passes_tls = [](const std::string& name, std::uint16_t port) {
    return engine().settings.tls_passthrough.contains(name, port);
  };
  terms.reset_on_miss = engine().settings.on_miss == OnMiss::kReset;
  terms.replay_speed = engine().settings.replay_speed;
  terms.port = peer->port();
  terms.host = std::move(host);
  if (!Names::is_made_up(*peer)) terms.address = peer->host();

  int error = engine().service.ensure_running();
  if (error != 0) {
    log(LogLevel::kError,
        std::string("the service thread cannot start: ") + strerrordesc_np(error));
    errno = ENOBUFS;
    return -1;
  }

  Connection::Upstream upstream = Connection::Upstream::kNone;
  short events = 0;  // of a connection that is under way
  int result = 0;
  int answer = 0;  // errno for the program with result -1
  // Of a connection that was recorded as such: told when it is asked for.
  const int failure = Failures::connect_error(*player, terms.host, terms.port);
  if (failure != 0 && !is_nonblocking(fd)) {
    errno = failure;
    return -1;
  }
  if (failure == 0 && terms.policy == UpstreamPolicy::kAtConnect) {
    result = connect_really(fd, *peer);
    if (result == kPassThrough) result = engine().real.connect(fd, peer->get(), peer->length);
    answer = errno;
    const bool under_way = result != 0 && (answer == EINPROGRESS || answer == EINTR);
    if (under_way) events = events_now(fd);
    const bool stands = result == 0 || events == POLLOUT;
    if (stands || !under_way) {
      engine().failures.connected(terms.host, terms.port, stands ? 0 : answer);
    }
    errno = answer;
    if (result != 0 && !under_way) return result;
    upstream = stands ? Connection::Upstream::kConnected : Connection::Upstream::kConnecting;
  } else if (is_nonblocking(fd)) {
    // What TCP says of a connection that is made at once all the same.
    result = -1;
    answer = EINPROGRESS;
  }

  Connection::Sockets sockets;
  error = swap_socket(fd, upstream == Connection::Upstream::kConnecting, &sockets);
  Connection* connection = error == 0 ? engine().connections.acquire() : nullptr;
  if (connection == nullptr) {
    if (error == 0) {
      error = ENOMEM;
      engine().close_private(sockets.engine_end);
      engine().close_private(sockets.original);
    }
    log(LogLevel::kError, terms.host + ":" + std::to_string(terms.port) +
                              ": the connection cannot be intercepted: " + strerrordesc_np(error));
    errno = error;
    return -1;
  }
  {
    std::lock_guard guard(connection->mutex);
    connection->begin(engine().deck(), std::move(terms), sockets, *peer, upstream);
    connection->connect_reported = result == 0;
    if (failure != 0) connection->fail_connect(failure);
    // It has failed already.
    if (upstream == Connection::Upstream::kConnecting && events != 0) {
      connection->original_ready(EPOLLERR);
    }
    engine().host.set_owner(fd, reinterpret_cast<std::uintptr_t>(connection));
  }
  errno = answer;
  return result;
}

}  // namespace cassette
