// The one hook that stands in front of a function of GnuTLS: the credentials of a session. What the credentials
// trust is asked within the handshake, inside GnuTLS, where no other hook gets to (programs that call
// gnutls_session_set_verify_cert(), as apt). GnuTLS may be loaded late, and more than once: the real function is
// looked for with each call.
#include <dlfcn.h>
#include <link.h>

#include "preload/hooks/library.h"

namespace cassette {
namespace {

constexpr int kCertificate = 1;      // GNUTLS_CRD_CERTIFICATE
constexpr int kInternalError = -59;  // GNUTLS_E_INTERNAL_ERROR

// The object that `address` is in, held (a reference that is never given back: it may be asked for ever).
void* object_of(const void* address) {
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0 ||
      map == nullptr) {
    return nullptr;
  }
  // The main program is called "".
  return dlopen(map->l_name[0] != '\0' ? map->l_name : nullptr, RTLD_LAZY | RTLD_NOLOAD);
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int gnutls_credentials_set(void* session, int type, void* credentials) {
  auto next = real().gnutls_credentials_set;
  void* object = nullptr;
  if (next == nullptr) {
    object = object_of(__builtin_return_address(0));
    void* found = object != nullptr ? dlsym(object, "gnutls_credentials_set") : nullptr;
    next = reinterpret_cast<decltype(next)>(found);
  }
  if (next == nullptr || next == gnutls_credentials_set) return kInternalError;
  int result = next(session, type, credentials);
  if (result != 0 || type != kCertificate || inside_engine || !library_active()) return result;
  object = object_of(reinterpret_cast<const void*>(next));
  const EngineApi* api = object != nullptr ? engine() : nullptr;
  if (api == nullptr) return result;
  EngineCall call = enter_engine();
  api->trust_in_gnutls(object, credentials);
  exit_engine(call);
  return result;
}

}  // extern "C"
#pragma GCC visibility pop
