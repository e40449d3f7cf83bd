// Hooks of name resolution. With no network there is no DNS: the engine answers for hosts that may be
// replayed, and remembers which name an address stands for. The real resolver takes its time: it is asked here, outside the
// engine, where the program can be interrupted.
#include <netinet/in.h>

#include <cerrno>
#include <cstdlib>

#include "preload/hooks/library.h"
#include "preload/hooks/names/resolver.h"

namespace cassette {
namespace {

// The engine when it has a say in this call. `*refuse` is set when it should have one and is missing.
const EngineApi* asked_engine(bool* refuse) {
  *refuse = false;
  if (inside_engine || bypass_depth > 0) return nullptr;
  ensure_started();
  if (!library_active()) return nullptr;
  const EngineApi* api = engine();
  *refuse = api == nullptr;
  return api;
}

// gethostbyname() and its kind answer out of a buffer that the next call overwrites; one a thread
// keeps threads from tearing each other's answers.
struct HostBuffer {
  hostent entry;
  char* space;
  std::size_t size;
};
thread_local HostBuffer host_buffer;

bool grow(HostBuffer& buffer) {
  std::size_t size = buffer.size == 0 ? 1024 : buffer.size * 2;
  auto* space = static_cast<char*>(std::realloc(buffer.space, size));
  if (space == nullptr) return false;
  buffer.space = space;
  buffer.size = size;
  return true;
}

// Calls `ask(buffer)` with a buffer that grows until the answer fits. kPassThrough when it is not ours.
template <typename Ask>
int ask_growing(Ask ask) {
  int status = ERANGE;
  while (status == ERANGE) {
    if ((host_buffer.size == 0 || status == ERANGE) && !grow(host_buffer)) return ENOMEM;
    status = ask(host_buffer);
  }
  return status;
}

/// gethostbyname2_r(), with the engine's answer or the resolver's. kPassThrough as the engine's.
int by_name_r(const EngineApi& api, const char* name, int family, hostent* entry, char* buffer,
              std::size_t size, hostent** result, int* h_error) {
  EngineCall call = enter_engine();
  int status = api.gethostbyname_r(name, family, entry, buffer, size, result, h_error);
  exit_engine(call);
  if (status != kAskResolver) return status;
  {
    const ResolverCall marked;
    status = real().gethostbyname2_r(name, family, entry, buffer, size, result, h_error);
  }
  if (status != 0) return status;
  const int saved = errno;
  call = enter_engine();
  api.gethostbyname_asked(name, *result, *h_error);
  exit_engine(call);
  errno = saved;
  return 0;
}

hostent* by_name(const char* name, int family, bool* passed) {
  bool refuse;
  const EngineApi* api = asked_engine(&refuse);
  *passed = api == nullptr && !refuse;
  if (refuse) h_errno = NO_RECOVERY;
  if (api == nullptr) return nullptr;
  hostent* result = nullptr;
  int status = ask_growing([&](HostBuffer& buffer) {
    return by_name_r(*api, name, family, &buffer.entry, buffer.space, buffer.size, &result,
                     &h_errno);
  });
  *passed = status == kPassThrough;
  return result;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  bool refuse;
  const EngineApi* api = node != nullptr ? asked_engine(&refuse) : nullptr;
  if (node != nullptr && refuse) return EAI_FAIL;
  if (api != nullptr) {
    EngineCall call = enter_engine();
    int status = api->getaddrinfo(node, service, hints, result);
    exit_engine(call);
    // Every EAI code is negative too: the engine marks "not mine" by numbers that are none.
    if (status == kAskResolver) {
      {
        const ResolverCall marked;
        status = real().getaddrinfo(node, service, hints, result);
      }
      const int saved = errno;
      call = enter_engine();
      status = api->getaddrinfo_asked(node, service, hints, result, status);
      exit_engine(call);
      errno = saved;
      return status;
    }
    if (status != kNotOurName) return status;
  }
  return real().getaddrinfo(node, service, hints, result);
}

int getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_size,
                char* service, socklen_t service_size, int flags) {
  bool refuse;
  const EngineApi* api = asked_engine(&refuse);
  if (api != nullptr) {
    EngineCall call = enter_engine();
    int status = api->getnameinfo(address, length, host, host_size, service, service_size, flags);
    exit_engine(call);
    if (status != kNotOurName) return status;
  }
  return real().getnameinfo(address, length, host, host_size, service, service_size, flags);
}

hostent* gethostbyname(const char* name) {
  bool passed;
  hostent* result = by_name(name, AF_INET, &passed);
  return passed ? real().gethostbyname(name) : result;
}

hostent* gethostbyname2(const char* name, int family) {
  bool passed;
  hostent* result = by_name(name, family, &passed);
  return passed ? real().gethostbyname2(name, family) : result;
}

int gethostbyname2_r(const char* name, int family, hostent* entry, char* buffer, size_t size,
                     hostent** result, int* h_error) {
  bool refuse;
  const EngineApi* api = asked_engine(&refuse);
  if (refuse) {
    *result = nullptr;
    *h_error = NO_RECOVERY;
    return EAGAIN;
  }
  if (api != nullptr) {
    const int status = by_name_r(*api, name, family, entry, buffer, size, result, h_error);
    if (status != kPassThrough) return status;
  }
  return real().gethostbyname2_r(name, family, entry, buffer, size, result, h_error);
}

int gethostbyname_r(const char* name, hostent* entry, char* buffer, size_t size, hostent** result,
                    int* h_error) {
  return gethostbyname2_r(name, AF_INET, entry, buffer, size, result, h_error);
}

hostent* gethostbyaddr(const void* address, socklen_t length, int family) {
  bool refuse;
  const EngineApi* api = asked_engine(&refuse);
  if (api != nullptr) {
    hostent* result = nullptr;
    EngineCall call = enter_engine();
    int status = ask_growing([&](HostBuffer& buffer) {
      return api->gethostbyaddr_r(address, length, family, &buffer.entry, buffer.space, buffer.size,
                                  &result, &h_errno);
    });
    exit_engine(call);
    if (status != kPassThrough) return result;
  }
  return real().gethostbyaddr(address, length, family);
}

int gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* entry, char* buffer,
                    size_t size, hostent** result, int* h_error) {
  bool refuse;
  const EngineApi* api = asked_engine(&refuse);
  if (api != nullptr) {
    EngineCall call = enter_engine();
    int status =
        api->gethostbyaddr_r(address, length, family, entry, buffer, size, result, h_error);
    exit_engine(call);
    if (status != kPassThrough) return status;
  }
  return real().gethostbyaddr_r(address, length, family, entry, buffer, size, result, h_error);
}

}  // extern "C"
#pragma GCC visibility pop
