// Engine::tls(): the TLS object, loaded with the first TLS connection, and the session's authority.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "preload/engine/engine.h"
#include "preload/engine/entries.h"
#include "preload/engine/trust/gnutls.h"
#include "preload/engine/trust/nss.h"
#include "preload/engine/trust/openssl.h"
#include "store/log.h"

namespace cassette {

namespace {

constexpr char kTlsFile[] = "libcassette-tls.so";

const TlsApi* load(std::string* problem) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&load), &info) == 0 || info.dli_fname == nullptr) {
    *problem = "where is the library? dladdr does not tell, so TLS cannot be found";
    return nullptr;
  }
  std::string path = info.dli_fname;
  path.erase(path.rfind('/') + 1);
  path += kTlsFile;
  if (const int kept = engine().host.kept_file(kTlsFile);
      kept >= 0 && faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
    path = "/proc/self/fd/" + std::to_string(kept);
  // As the engine itself (hooks/library.cc), whose dlopen() is libc's.
  void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (object == nullptr) {
    *problem = std::string("TLS cannot be loaded: ") + dlerror();
    return nullptr;
  }
  auto* begin =
      reinterpret_cast<decltype(&cassette_tls_start)>(dlsym(object, "cassette_tls_start"));
  static TlsHost host;
  host = {&kHeap, program_heap(), engine().host.program_time};
  const TlsApi* api = begin != nullptr ? begin(kTlsVersion, &host) : nullptr;
  if (api == nullptr) *problem = "another version's TLS: " + path;
  return api;
}

/// Again when further libraries were loaded.
void bring_trust() {
  static std::mutex mutex;
  static unsigned long long seen;
  std::lock_guard guard(mutex);
  if (!objects_came(&seen)) return;
  const std::string& authority = engine().tls().api->authority_der();
  judge_in_openssl(engine().judgements, authority);
  judge_in_gnutls(engine().judgements, authority);
  judge_in_nss(engine().judgements);
}

}  // namespace

void Engine::begin_tls() {
  tls_.judgements = &judgements;
  tls_.told = &told;
  tls_.trust = &trust;
  tls_.bring_trust = bring_trust;
  tls_.identity = [](const std::string& host, std::uint16_t port) {
    const ClientCertificate* own = engine().settings.client_certificate_for(host, port);
    return own != nullptr ? ClientIdentity{own->certificate_file, own->key_file} : ClientIdentity{};
  };
  tls_.insecure = settings.tls_insecure_hosts;
  trust.begin(host.environment, settings.tls_ca_file);
  const TlsApi* api = load(&tls_.problem);
  if (api != nullptr) {
    auto file = deck_->authority_file();
    if (!file) {
      tls_.problem = file.error().message;
    } else if (api->begin(*file, host.kept_file, &tls_.problem)) {
      tls_.api = api;
    }
  }
  if (tls_.api == nullptr) log(LogLevel::kError, tls_.problem);
}

TlsSupport& Engine::tls() {
  if (!tls_begun_.load(std::memory_order_acquire)) {
    std::lock_guard guard(tls_mutex_);
    if (!tls_begun_.load(std::memory_order_relaxed)) begin_tls();
    tls_begun_.store(true, std::memory_order_release);
  }
  return tls_;
}

}  // namespace cassette
