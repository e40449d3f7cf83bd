// See resolver.h. resolver(3), rcmd(3), rexec(3).
#include "preload/hooks/names/resolver.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "preload/hooks/library.h"

namespace cassette {
namespace {

thread_local ResolverCall* running;

/// Whether the resolver is outside libc, where hooks stand in front of what it calls.
bool is_seen() {
  static std::atomic<int> seen;  // 1: no, 2: yes
  int known = seen.load(std::memory_order_relaxed);
  if (known == 0) {
    char* end = nullptr;
    const long major = std::strtol(gnu_get_libc_version(), &end, 10);
    const long minor = *end == '.' ? std::strtol(end + 1, nullptr, 10) : 0;
    known = major > 2 || minor >= 34 ? 1 : 2;
    seen.store(known, std::memory_order_relaxed);
  }
  return known == 2;
}

std::uintptr_t mark_of(const ResolverCall* call) {
  return reinterpret_cast<std::uintptr_t>(call) ^ 0x63617373657474UL;
}

/// True where no query for that name may leave; errno is what the resolver has when nobody listens there.
bool is_refused(const char* name) {
  if (name == nullptr || inside_engine || bypass_depth > 0 || ResolverCall::is_running())
    return false;
  ensure_started();
  if (!library_active()) return false;
  const int saved = errno;
  const EngineApi* api = engine();
  bool refused = true;  // without an engine nothing goes out
  if (api != nullptr) {
    EngineCall call = enter_engine();
    refused = api->refuses_query(name) != 0;
    exit_engine(call);
  }
  errno = refused ? ECONNREFUSED : saved;
  return refused;
}

bool is_refused(const char* name, const char* domain) {
  char full[NI_MAXHOST];
  if (name == nullptr || domain == nullptr) return is_refused(name);
  const std::size_t size = std::strlen(name);
  const std::size_t rest = std::strlen(domain);
  if (size + rest + 2 > sizeof full) return is_refused(name);
  std::memcpy(full, name, size);
  full[size] = '.';
  std::memcpy(full + size + 1, domain, rest + 1);
  return is_refused(full);
}

/// By the question of a message (RFC 1035, 4.1): labels behind twelve bytes of header.
bool is_refused(const unsigned char* message, int size) {
  char name[NI_MAXHOST] = "";
  std::size_t length = 0;
  for (int at = 12; message != nullptr && at < size && message[at] != 0;) {
    const int label = message[at];
    if (label > 63 || at + 1 + label > size ||
        length + static_cast<std::size_t>(label) + 2 > sizeof name)
      break;
    if (length > 0) name[length++] = '.';
    std::memcpy(name + length, message + at + 1, static_cast<std::size_t>(label));
    length += static_cast<std::size_t>(label);
    at += 1 + label;
  }
  name[length] = '\0';
  return is_refused(name);
}

int no_server() {
  h_errno = TRY_AGAIN;
  return -1;
}

int no_server(struct __res_state* state) {
  if (state != nullptr) set_resolver_error(state, TRY_AGAIN);
  return no_server();
}

/// Before glibc 2.34 these are in libresolv, which a program may have loaded for itself after the real functions were
/// looked up; since then only old programs know those with underscores.
template <typename Function>
Function* real_one(Function* found, Function* other, const char* name, const char* old_name) {
  if (found != nullptr) return found;
  if (other != nullptr) return other;
  void* object = dlopen("libresolv.so.2", RTLD_LAZY);
  if (object == nullptr) return nullptr;
  void* function = dlsym(object, name);
  if (function == nullptr) function = dlsym(object, old_name);
  return reinterpret_cast<Function*>(function);
}

template <typename Function, typename... Arguments>
int pass(Function* function, Arguments... arguments) {
  if (function != nullptr) return function(arguments...);
  errno = ENOSYS;
  return no_server();
}

}  // namespace

ResolverCall::ResolverCall() {
  if (!is_seen()) return;
  mark_ = mark_of(this);
  before_ = running;
  running = this;
}

ResolverCall::~ResolverCall() {
  if (mark_ == 0) return;
  mark_ = 0;
  running = before_;
}

bool ResolverCall::is_running() {
  const ResolverCall* call = running;
  if (call == nullptr) return false;
  const bool is_deeper = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) <
                         reinterpret_cast<std::uintptr_t>(call);
  if (is_deeper && call->mark_ == mark_of(call)) return true;
  running = nullptr;
  return false;
}

}  // namespace cassette

using namespace cassette;

#define REAL(name) real_one(real().name, real().__##name, #name, "__" #name)

#pragma GCC visibility push(default)
extern "C" {

int res_query(const char* name, int kind, int type, unsigned char* answer, int size) {
  if (is_refused(name)) return no_server();
  return pass(REAL(res_query), name, kind, type, answer, size);
}

int res_search(const char* name, int kind, int type, unsigned char* answer, int size) {
  if (is_refused(name)) return no_server();
  return pass(REAL(res_search), name, kind, type, answer, size);
}

int res_querydomain(const char* name, const char* domain, int kind, int type, unsigned char* answer,
                    int size) {
  if (is_refused(name, domain)) return no_server();
  return pass(REAL(res_querydomain), name, domain, kind, type, answer, size);
}

int res_send(const unsigned char* message, int size, unsigned char* answer, int room) {
  if (is_refused(message, size)) return -1;
  return pass(REAL(res_send), message, size, answer, room);
}

int res_nquery(struct __res_state* state, const char* name, int kind, int type,
               unsigned char* answer, int size) {
  if (is_refused(name)) return no_server(state);
  return pass(REAL(res_nquery), state, name, kind, type, answer, size);
}

int res_nsearch(struct __res_state* state, const char* name, int kind, int type,
                unsigned char* answer, int size) {
  if (is_refused(name)) return no_server(state);
  return pass(REAL(res_nsearch), state, name, kind, type, answer, size);
}

int res_nquerydomain(struct __res_state* state, const char* name, const char* domain, int kind,
                     int type, unsigned char* answer, int size) {
  if (is_refused(name, domain)) return no_server(state);
  return pass(REAL(res_nquerydomain), state, name, domain, kind, type, answer, size);
}

int res_nsend(struct __res_state* state, const unsigned char* message, int size,
              unsigned char* answer, int room) {
  if (is_refused(message, size)) return -1;
  return pass(REAL(res_nsend), state, message, size, answer, room);
}

// What programs call that were built with an older glibc.

int __res_query(const char* name, int kind, int type, unsigned char* answer, int size) {
  return res_query(name, kind, type, answer, size);
}

int __res_search(const char* name, int kind, int type, unsigned char* answer, int size) {
  return res_search(name, kind, type, answer, size);
}

int __res_querydomain(const char* name, const char* domain, int kind, int type,
                      unsigned char* answer, int size) {
  return res_querydomain(name, domain, kind, type, answer, size);
}

int __res_send(const unsigned char* message, int size, unsigned char* answer, int room) {
  return res_send(message, size, answer, room);
}

int __res_nquery(struct __res_state* state, const char* name, int kind, int type,
                 unsigned char* answer, int size) {
  return res_nquery(state, name, kind, type, answer, size);
}

int __res_nsearch(struct __res_state* state, const char* name, int kind, int type,
                  unsigned char* answer, int size) {
  return res_nsearch(state, name, kind, type, answer, size);
}

int __res_nquerydomain(struct __res_state* state, const char* name, const char* domain, int kind,
                       int type, unsigned char* answer, int size) {
  return res_nquerydomain(state, name, domain, kind, type, answer, size);
}

int __res_nsend(struct __res_state* state, const unsigned char* message, int size,
                unsigned char* answer, int room) {
  return res_nsend(state, message, size, answer, room);
}

// These look the host up within libc, and connect there.

int rcmd(char** host, unsigned short port, const char* user, const char* other, const char* command,
         int* error_fd) {
  return is_refused(host != nullptr ? *host : nullptr)
             ? -1
             : real().rcmd(host, port, user, other, command, error_fd);
}

int rcmd_af(char** host, unsigned short port, const char* user, const char* other,
            const char* command, int* error_fd, sa_family_t family) {
  return is_refused(host != nullptr ? *host : nullptr)
             ? -1
             : real().rcmd_af(host, port, user, other, command, error_fd, family);
}

int rexec(char** host, int port, const char* user, const char* password, const char* command,
          int* error_fd) {
  return is_refused(host != nullptr ? *host : nullptr)
             ? -1
             : real().rexec(host, port, user, password, command, error_fd);
}

int rexec_af(char** host, int port, const char* user, const char* password, const char* command,
             int* error_fd, sa_family_t family) {
  return is_refused(host != nullptr ? *host : nullptr)
             ? -1
             : real().rexec_af(host, port, user, password, command, error_fd, family);
}

int ruserok(const char* host, int superuser, const char* user, const char* other) {
  return is_refused(host) ? -1 : real().ruserok(host, superuser, user, other);
}

int ruserok_af(const char* host, int superuser, const char* user, const char* other,
               sa_family_t family) {
  return is_refused(host) ? -1 : real().ruserok_af(host, superuser, user, other, family);
}

}  // extern "C"
#pragma GCC visibility pop
