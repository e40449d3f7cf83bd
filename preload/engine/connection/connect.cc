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
#include <utility>

#include "preload/engine/connection/swap.h"
#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

enum class Kind { kTcp, kOther, kUnknown };

/// Unknown where a filter of system calls forbids to ask.
Kind kind_of(int fd) {
  int protocol = 0;
  socklen_t length = sizeof protocol;
  constexpr int kMultipathTcp = 262;  // IPPROTO_MPTCP, in headers newer than glibc 2.31's
  if (::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0)
    return errno == EBADF || errno == ENOTSOCK ? Kind::kOther : Kind::kUnknown;
  return protocol == IPPROTO_TCP || protocol == kMultipathTcp ? Kind::kTcp : Kind::kOther;
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

std::string place_of(const std::string& host, const Endpoint& peer) {
  return host + ":" + std::to_string(peer.port());
}

/// What the program is told without a real connect.
ConnectStep answer(ConnectPlan* plan, int error) {
  plan->result = error == 0 ? 0 : -1;
  if (error != 0) plan->error = error;
  return ConnectStep::kAnswered;
}

/// Has the hook connect to what the address stands for.
ConnectStep connect_really(const Endpoint& peer, ConnectPlan* plan, ConnectStep step) {
  plan->peer = plan->address = peer.address;
  plan->peer_length = plan->length = peer.length;
  if (!Names::is_made_up(peer)) return step;
  std::optional<std::string> name = engine().names.name_of(peer);
  if (!name || name->size() >= sizeof plan->host) return answer(plan, EHOSTUNREACH);
  std::memcpy(plan->host, name->c_str(), name->size() + 1);
  plan->length = 0;
  return step;
}

/// A place that is left alone: as the program said, or a made-up address after all.
ConnectStep leave_alone(const Endpoint& peer, ConnectPlan* plan) {
  return Names::is_made_up(peer) ? connect_really(peer, plan, ConnectStep::kConnect)
                                 : ConnectStep::kPass;
}

/// Nobody says whether this is TCP: it is not recorded, and where nothing may go out it does not.
ConnectStep connect_unknown(const std::string& host, const Endpoint& peer, UpstreamPolicy policy,
                            ConnectPlan* plan) {
  const std::string place = place_of(host, peer);
  const bool refused = policy == UpstreamPolicy::kNever;
  if (engine().told.first("unknown " + place)) {
    log(LogLevel::kWarn, place + ": the kind of socket cannot be told (getsockopt is forbidden): " +
                             (refused ? "refused" : "not recorded"));
  }
  return refused ? answer(plan, ECONNREFUSED) : leave_alone(peer, plan);
}

Conversation::Terms terms_for(const Player& player, std::string host, const Endpoint& peer,
                              UpstreamPolicy policy) {
  Conversation::Terms terms;
  terms.policy = policy;
  terms.may_relay = player.may_relay();
  terms.tls = []() -> const TlsSupport& { return engine().tls(); };
  terms.intercepts = [](const std::string& name, std::uint16_t port) {
    return !is_left_alone(port) && engine().intercepts(name, port);
  };
  terms.passes_tls = [](const std::string& name, std::uint16_t port) {
    return engine().settings.tls_passthrough.contains(name, port);
  };
  terms.reset_on_miss = engine().settings.on_miss == OnMiss::kReset;
  terms.replay_speed = engine().settings.replay_speed;
  terms.port = peer.port();
  terms.host = std::move(host);
  if (!Names::is_made_up(peer)) terms.address = peer.host();
  return terms;
}

void tell_failed_swap(const std::string& place, int error) {
  if (error != EMFILE) {
    log(LogLevel::kError,
        place + ": the connection cannot be intercepted: " + strerrordesc_np(error));
  } else if (engine().told.first("numbers")) {
    // Each further connection would say it again.
    log(LogLevel::kError,
        place +
            ": the program is at its limit of open files, of which a connection takes two "
            "(three in a recording) where the soft limit is the hard one: raise `ulimit -Hn`");
  }
}

/// How far the connection is that is to be swapped.
struct Progress {
  Connection::Upstream upstream = Connection::Upstream::kNone;
  short events = 0;      ///< of one that is under way
  int failure = 0;       ///< it is to fail with that
  bool is_told = false;  ///< the program's connect() succeeds
};

/// Puts the pair in place of the program's socket. An errno, or 0; also where the number is another file's by now: then
/// nothing was done.
int begin_connection(int fd, const SocketIdentity& socket, const Endpoint& peer,
                     Conversation::Terms terms, const Progress& progress) {
  Connection::Sockets sockets;
  Connection* connection = engine().connections.acquire();
  int error = ENOMEM;
  if (connection != nullptr) {
    const bool unwritable = progress.upstream == Connection::Upstream::kConnecting;
    error = swap_socket(fd, socket, unwritable, &sockets);
  }
  if (error != 0) {
    if (connection != nullptr) engine().connections.give_back(connection);
    if (error == kOtherSocket) return 0;
    tell_failed_swap(place_of(terms.host, peer), error);
    return error == ENOMEM ? ENOBUFS : error;  // as TCP has it
  }
  {
    std::lock_guard guard(connection->mutex);
    connection->begin(engine().deck(), std::move(terms), sockets, peer, progress.upstream);
    connection->connect_reported = progress.is_told;
    if (progress.failure != 0) connection->fail_connect(progress.failure);
    // It has failed already.
    if (progress.upstream == Connection::Upstream::kConnecting && progress.events != 0) {
      connection->original_ready(EPOLLERR);
    }
  }
  const auto owner = reinterpret_cast<std::uintptr_t>(connection);
  swap_copies(fd, socket, owner);
  engine().host.free_number(fd, owner);
  return 0;
}

}  // namespace

ConnectStep plan_bypassed(const sockaddr* address, socklen_t length, ConnectPlan* plan) {
  std::optional<Endpoint> peer = Endpoint::from(address, length);
  return peer ? leave_alone(*peer, plan) : ConnectStep::kPass;
}

bool refuses_datagrams(const sockaddr* address, socklen_t length) {
  std::optional<Endpoint> peer = Endpoint::from(address, length);
  std::shared_ptr<Player> player = peer ? engine().player() : nullptr;
  if (player == nullptr) return false;
  const std::string host = engine().names.name_of(*peer).value_or(peer->host());
  if (!engine().intercepts(host, peer->port()) || !engine().intercepts(peer->host(), peer->port()))
    return false;
  if (player->upstream_policy(host, peer->port()) != UpstreamPolicy::kNever) return false;
  const std::string place = place_of(host, *peer);
  constexpr std::uint16_t kDns = 53;  // clients of HTTP/3 fall back, and need no word about it
  if (engine().told.first("udp " + place)) {
    log(peer->port() == kDns ? LogLevel::kWarn : LogLevel::kInfo,
        place + ": UDP is refused in replay (ignore-hosts lets it through)");
  }
  return true;
}

ConnectStep plan_connect(int fd, const sockaddr* address, socklen_t length, ConnectPlan* plan) {
  std::optional<Endpoint> peer = Endpoint::from(address, length);
  // Before anything is asked of it: what is there later is compared with that.
  SocketIdentity socket;
  const bool identified = socket.read(fd);
  const Kind kind = kind_of(fd);
  if (!peer || peer->port() == 0 || kind == Kind::kOther) return ConnectStep::kPass;
  std::shared_ptr<Player> player = engine().player();
  if (player == nullptr) return ConnectStep::kPass;
  std::string host = engine().names.name_of(*peer).value_or(peer->host());
  if (is_left_alone(peer->port()) || !engine().intercepts(host, peer->port()) ||
      !engine().intercepts(peer->host(), peer->port())) {
    return leave_alone(*peer, plan);
  }
  const UpstreamPolicy policy = player->upstream_policy(host, peer->port());
  if (kind == Kind::kUnknown || !identified) return connect_unknown(host, *peer, policy, plan);

  const int no_service = engine().service.ensure_running();
  if (no_service != 0 && policy == UpstreamPolicy::kAtConnect) {
    log(LogLevel::kError,
        std::string("the service thread cannot start, and nothing is recorded without it: ") +
            strerrordesc_np(no_service));
    return answer(plan, ENOBUFS);
  }
  Progress progress;
  // Of a connection that was recorded as such: told when it is asked for.
  progress.failure = Failures::connect_error(*player, host, peer->port());
  const bool waits = is_nonblocking(fd);
  if (progress.failure != 0 && !waits) return answer(plan, progress.failure);
  if (progress.failure == 0 && policy == UpstreamPolicy::kAtConnect) {
    plan->device = socket.device;
    plan->inode = socket.inode;
    plan->policy = static_cast<int>(policy);
    const ConnectStep step = connect_really(*peer, plan, ConnectStep::kSwap);
    if (host.size() >= sizeof plan->host) host = peer->host();
    if (step == ConnectStep::kSwap) std::memcpy(plan->host, host.c_str(), host.size() + 1);
    return step;
  }
  progress.is_told = !waits;
  const int error = begin_connection(fd, socket, *peer,
                                     terms_for(*player, std::move(host), *peer, policy), progress);
  if (error != 0) return answer(plan, error);
  // What TCP says of a connection that is made at once all the same.
  return answer(plan, waits ? EINPROGRESS : 0);
}

int connected(int fd, ConnectPlan* plan, int result, int error) {
  if (result != 0) plan->error = error;
  std::optional<Endpoint> peer =
      Endpoint::from(reinterpret_cast<const sockaddr*>(&plan->peer), plan->peer_length);
  std::shared_ptr<Player> player = engine().player();
  const SocketIdentity socket{plan->device, plan->inode};
  SocketIdentity now;
  // Somebody else has closed the number meanwhile, or put another file there.
  const bool is_same = now.read(fd) && now == socket && kind_of(fd) == Kind::kTcp;
  const bool under_way = result != 0 && (error == EINPROGRESS || error == EINTR);
  Progress progress;
  if (under_way && is_same) progress.events = events_now(fd);
  const bool stands = result == 0 || progress.events == POLLOUT;
  if (stands || !under_way) {
    engine().failures.connected(plan->host, peer->port(), stands ? 0 : error);
  }
  if ((result != 0 && !under_way) || !is_same || player == nullptr) return result;
  progress.upstream = stands ? Connection::Upstream::kConnected : Connection::Upstream::kConnecting;
  progress.is_told = result == 0;
  const int failed = begin_connection(
      fd, socket, *peer,
      terms_for(*player, plan->host, *peer, static_cast<UpstreamPolicy>(plan->policy)), progress);
  if (failed == 0) return result;
  plan->error = failed;
  return -1;
}

}  // namespace cassette
