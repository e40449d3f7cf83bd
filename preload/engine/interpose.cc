// See interpose.h. Each function finds its connection, checks that the descriptor is still that socket,
// and asks. No exception leaves this file.
#include "preload/engine/interpose.h"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <exception>
#include <optional>

#include "preload/engine/connection/connect.h"
#include "preload/engine/connection/names.h"
#include "preload/engine/connection/options.h"
#include "preload/engine/engine.h"
#include "preload/engine/program_api.h"
#include "preload/engine/trust/bundles.h"
#include "preload/engine/trust/gnutls.h"
#include "preload/heap/heap.h"
#include "store/log.h"

namespace cassette {

namespace {

/// A connection that is locked and was found to be what `fd` stands for.
class Found {
 public:
  Found(std::uintptr_t owner, int fd) : connection_(reinterpret_cast<Connection*>(owner)) {
    lock_ = std::unique_lock(connection_->mutex);
    if (connection_->live() && connection_->is(fd)) return;
    // The number was closed and reused past the hooks.
    if (engine().owns_process() && engine().host.owner(fd) == owner) engine().host.set_owner(fd, 0);
    lock_.unlock();
    connection_ = nullptr;
  }
  explicit operator bool() const { return connection_ != nullptr; }
  Connection* operator->() { return connection_; }
  Connection& operator*() { return *connection_; }
  /// Nothing is left of it; it is not to be used any more.
  void retire() { engine().retire_if_finished(connection_, std::move(lock_)); }

 private:
  Connection* connection_;
  std::unique_lock<std::mutex> lock_;
};

/// What the engine does for a thread that may make few system calls is done by its own thread.
template <typename Body>
auto in_free_thread(Body& body) -> decltype(body()) {
  if (__builtin_expect(!engine().is_filtered(), 1)) return body();
  struct Call {
    Body& body;
    std::optional<decltype(body())> result;
    std::exception_ptr problem;
  } call{body, std::nullopt, nullptr};
  engine().service.call(
      [](void* argument) {
        auto& call = *static_cast<Call*>(argument);
        try {
          call.result = call.body();
        } catch (...) {
          call.problem = std::current_exception();
        }
      },
      &call);
  if (call.problem) std::rethrow_exception(call.problem);
  return *call.result;
}

/// Runs `body`; an exception (no memory) becomes -1 with ENOMEM.
template <typename Body>
auto guarded(Body body) noexcept -> decltype(body()) {
  try {
    return in_free_thread(body);
  } catch (const std::exception& problem) {
    log(LogLevel::kError, std::string("out of order: ") + problem.what());
    errno = ENOMEM;
    return -1;
  }
}

ssize_t interpose_send(std::uintptr_t owner, int fd, const iovec* parts, std::size_t count,
                       int flags) {
  return guarded([&]() -> ssize_t {
    Found connection(owner, fd);
    if (!connection) return kPassThrough;
    try {
      return (flags & MSG_OOB) != 0 ? connection->send_urgent(fd, parts, count)
                                    : connection->send_inline(fd, parts, count);
    } catch (const std::exception&) {
      connection->give_up();
      throw;
    }
  });
}

ssize_t interpose_send_failed(std::uintptr_t owner, int fd, ssize_t sent) {
  return guarded([&]() -> ssize_t {
    Found connection(owner, fd);
    if (!connection) return kPassThrough;
    if (sent < 0) return connection->send_too_late(fd);
    connection->send_cut_short();
    return kPassThrough;
  });
}

bool interpose_make_way(int fd) {
  return guarded([fd] { return engine().make_way(fd) ? 1 : 0; }) == 1;
}

void interpose_closed(std::uintptr_t owner) {
  guarded([owner] {
    auto* connection = reinterpret_cast<Connection*>(owner);
    std::unique_lock lock(connection->mutex);
    if (!connection->live()) return 0;
    connection->descriptor_closed();
    engine().retire_if_finished(connection, std::move(lock));
    return 0;
  });
}

/// As guarded(), for the steps of a connect.
template <typename Body>
ConnectStep guarded_step(ConnectPlan* plan, Body body) noexcept {
  const int result = guarded([&] { return static_cast<int>(body()); });
  if (result >= 0) return static_cast<ConnectStep>(result);
  plan->result = -1;
  plan->error = ENOMEM;
  return ConnectStep::kAnswered;
}

ConnectStep interpose_plan_connect(int fd, const sockaddr* address, socklen_t length,
                                   ConnectPlan* plan) {
  return guarded_step(plan, [&] { return plan_connect(fd, address, length, plan); });
}

int interpose_connected(int fd, ConnectPlan* plan, int result, int error) {
  plan->error = ENOMEM;
  return guarded([&] { return connected(fd, plan, result, error); });
}

ConnectStep interpose_plan_bypassed(const sockaddr* address, socklen_t length, ConnectPlan* plan) {
  return guarded_step(plan, [&] { return plan_bypassed(address, length, plan); });
}

int interpose_refuses_datagrams(const sockaddr* address, socklen_t length) {
  return guarded([&] { return refuses_datagrams(address, length) ? 1 : 0; });
}

/// connect(2) on a socket that is connected, or on its way, or was: what TCP answers (inet_stream_connect() of the kernel).
ConnectStep interpose_connect_again(std::uintptr_t owner, int fd, const sockaddr* address,
                                    ConnectPlan* plan) {
  return guarded_step(plan, [&] {
    plan->result = -1;
    Found connection(owner, fd);
    if (!connection) return ConnectStep::kAgain;
    if (address->sa_family == AF_UNSPEC) {
      const bool dissolved = connection->dissolve(fd);
      plan->result = dissolved ? 0 : -1;
      if (dissolved) {
        connection.retire();
      } else {
        plan->error = errno;
      }
      return ConnectStep::kAnswered;
    }
    connection->catch_up();
    if (connection->upstream() == Connection::Upstream::kConnecting) {
      const int flags = ::fcntl(fd, F_GETFL);
      plan->error = EALREADY;
      if (flags < 0 || (flags & O_NONBLOCK) != 0) return ConnectStep::kAnswered;
      plan->word = &connection->settled;
      plan->waiters = &connection->waiters;
      plan->value = connection->settled.load();
      return ConnectStep::kWait;
    }
    const int error = connection->take_error();
    if (connection->connect_failed()) {
      // Told once, and the next one tries again. Who has asked for SO_ERROR meanwhile was told that.
      plan->error = error != 0 ? error : ECONNABORTED;
      if (connection->dissolve(fd)) connection.retire();
    } else if (error != 0) {
      plan->error = error;
    } else if (!connection->connect_reported) {
      connection->connect_reported = true;
      plan->result = 0;
    } else {
      plan->error = EISCONN;
    }
    return ConnectStep::kAnswered;
  });
}

int interpose_getpeername(std::uintptr_t owner, int fd, sockaddr* address, socklen_t* length) {
  Found connection(owner, fd);
  if (!connection || address == nullptr || length == nullptr) return kPassThrough;
  const int state = connection->is_closed() ? TCP_CLOSE : connection->tcp_state(fd);
  if (state == TCP_CLOSE || state == TCP_SYN_SENT) {
    errno = ENOTCONN;
    return -1;
  }
  connection->peer().copy_to(address, length);
  return 0;
}

int interpose_getsockname(std::uintptr_t owner, int fd, sockaddr* address, socklen_t* length) {
  Found connection(owner, fd);
  if (!connection || address == nullptr || length == nullptr) return kPassThrough;
  connection->local().copy_to(address, length);
  return 0;
}

int interpose_getsockopt(std::uintptr_t owner, int fd, int level, int name, void* value,
                         socklen_t* length) {
  Found connection(owner, fd);
  return connection ? get_option(*connection, fd, level, name, value, length) : kPassThrough;
}

int interpose_setsockopt(std::uintptr_t owner, int fd, int level, int name, const void* value,
                         socklen_t length) {
  return guarded([&] {
    Found connection(owner, fd);
    return connection ? set_option(*connection, fd, level, name, value, length) : kPassThrough;
  });
}

/// The names' functions answer in codes of their own: no memory is a failure of the resolver.
template <typename Body>
int guarded_name(int failure, Body body) noexcept {
  try {
    return body();
  } catch (const std::exception& problem) {
    log(LogLevel::kError, std::string("out of order: ") + problem.what());
    return failure;
  }
}

int interpose_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                          addrinfo** result) {
  return guarded_name(EAI_MEMORY, [&] { return engine_getaddrinfo(node, service, hints, result); });
}

int interpose_getaddrinfo_asked(const char* node, const char* service, const addrinfo* hints,
                                addrinfo** result, int status) {
  return guarded_name(
      status, [&] { return engine_getaddrinfo_asked(node, service, hints, result, status); });
}

int interpose_getnameinfo(const sockaddr* address, socklen_t length, char* host,
                          socklen_t host_size, char* service, socklen_t service_size, int flags) {
  return guarded_name(EAI_MEMORY, [&] {
    return engine_getnameinfo(address, length, host, host_size, service, service_size, flags);
  });
}

int interpose_gethostbyname_r(const char* name, int family, hostent* entry, char* buffer,
                              std::size_t size, hostent** result, int* h_error) {
  return guarded_name(ENOMEM, [&] {
    return engine_gethostbyname_r(name, family, entry, buffer, size, result, h_error);
  });
}

void interpose_gethostbyname_asked(const char* name, const hostent* found, int h_error) {
  guarded([&] {
    engine_gethostbyname_asked(name, found, h_error);
    return 0;
  });
}

int interpose_refuses_query(const char* name) {
  return guarded([&] { return refuses_query(name) ? 1 : 0; });
}

int interpose_gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* entry,
                              char* buffer, std::size_t size, hostent** result, int* h_error) {
  return guarded_name(ENOMEM, [&] {
    return engine_gethostbyaddr_r(address, length, family, entry, buffer, size, result, h_error);
  });
}

int interpose_merge_bundle(int fd, Bundle kind) {
  return guarded([&] { return merge_bundle(fd, kind); });
}

void interpose_trust_in_gnutls(void* object, void* credentials) {
  guarded([&] {
    TlsSupport& support = engine().tls();
    if (support.api != nullptr) {
      trust_in_gnutls(object, credentials, support.api->authority_der(), *support.trust,
                      engine().asks_servers());
    }
    return 0;
  });
}

void interpose_open_cassette() {
  guarded([] {
    engine().open_cassette();
    return 0;
  });
}

void interpose_keep_rights() {
  guarded([] {
    engine().keep_rights();
    return 0;
  });
}

void interpose_get_ready(bool filtered) {
  guarded([filtered] {
    engine().get_ready(filtered);
    return 0;
  });
}

// The engine allocates in between: as with handlers of pthread_atfork(3), the heap is locked last.
void interpose_before_fork() {
  engine().before_fork();
  lock_heap_to_fork();
}

void interpose_after_fork_in_parent() {
  unlock_heap_after_fork();
  engine().after_fork_in_parent();
}

void interpose_after_fork_in_child(bool shares_descriptors) {
  unlock_heap_after_fork();
  engine().after_fork_in_child(shares_descriptors);
}

void interpose_leave(bool ended_well) {
  guarded([ended_well] {
    engine().leave(ended_well);
    return 0;
  });
}

}  // namespace

const EngineApi& interpose_api() {
  static constexpr EngineApi kApi = {
      .version = kEngineVersion,
      .plan_connect = interpose_plan_connect,
      .connected = interpose_connected,
      .plan_bypassed = interpose_plan_bypassed,
      .refuses_datagrams = interpose_refuses_datagrams,
      .connect_again = interpose_connect_again,
      .send = interpose_send,
      .send_failed = interpose_send_failed,
      .make_way = interpose_make_way,
      .closed = interpose_closed,
      .getpeername = interpose_getpeername,
      .getsockname = interpose_getsockname,
      .getsockopt = interpose_getsockopt,
      .setsockopt = interpose_setsockopt,
      .getaddrinfo = interpose_getaddrinfo,
      .getaddrinfo_asked = interpose_getaddrinfo_asked,
      .getnameinfo = interpose_getnameinfo,
      .gethostbyname_r = interpose_gethostbyname_r,
      .gethostbyname_asked = interpose_gethostbyname_asked,
      .refuses_query = interpose_refuses_query,
      .gethostbyaddr_r = interpose_gethostbyaddr_r,
      .merge_bundle = interpose_merge_bundle,
      .trust_in_gnutls = interpose_trust_in_gnutls,
      .main_thread_ends = [] { engine().service.nudge(); },
      .open_cassette = interpose_open_cassette,
      .keep_rights = interpose_keep_rights,
      .get_ready = interpose_get_ready,
      .before_fork = interpose_before_fork,
      .after_fork_in_parent = interpose_after_fork_in_parent,
      .after_fork_in_child = interpose_after_fork_in_child,
      .step_aside = [] { return engine().service.step_aside(); },
      .step_back = [] { engine().service.step_back(); },
      .leave = interpose_leave,
      .program = &kProgramApi,
  };
  return kApi;
}

}  // namespace cassette
