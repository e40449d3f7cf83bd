// See nss.h.
#include "preload/engine/trust/nss.h"

#include <cerrno>
#include <string>
#include <vector>

#include "preload/engine/entries.h"

namespace cassette {

namespace {

// NSS's types and numbers (nss/cert.h, nss/seccomon.h), which have been the same in all of 3.x.
struct Item {
  int kind;
  unsigned char* data;
  unsigned int size;
};
using Handle = void*;
using Certificate = void*;
using Log = void*;
constexpr int kSuccess = 0;
constexpr long kMicroseconds = 1'000'000;  // PRTime counts them since 1970

struct Nss {
  int (*verify)(Handle, Certificate, int signature, int usage, long time, void* pin, Log);
  int (*verify_now)(Handle, Certificate, int signature, int usage, void* pin);
  int (*verify_usages)(Handle, Certificate, int signature, long usages, long time, void* pin, Log,
                       long* returned);
  int (*verify_usages_now)(Handle, Certificate, int signature, long usages, void* pin,
                           long* returned);
  int (*get_der)(const void* certificate, Item*);
  Certificate (*new_certificate)(Handle, Item*, char* nickname, int permanent, int copy);
  void (*free_certificate)(Certificate);
  long (*now)();
};

Judgements* the_judgements;
Nss nss;  // a process with two of them is not known

bool find_all(void* object) {
  Nss it{};
  const bool all = find(object, "CERT_VerifyCert", it.verify) &&
                   find(object, "CERT_VerifyCertNow", it.verify_now) &&
                   find(object, "CERT_VerifyCertificate", it.verify_usages) &&
                   find(object, "CERT_VerifyCertificateNow", it.verify_usages_now) &&
                   find(object, "CERT_GetCertificateDer", it.get_der) &&
                   find(object, "CERT_NewTempCertificate", it.new_certificate) &&
                   find(object, "CERT_DestroyCertificate", it.free_certificate) &&
                   find(object, "PR_Now", it.now);
  if (all) nss = it;
  return all;
}

/// The real server's certificates, known to NSS as those that a peer has sent: it finds who signed whom among them.
class Chain {
 public:
  Chain(Handle handle, const std::vector<std::string>& ders) {
    for (const std::string& der : ders) {
      auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(der.data()));
      Item item{0, bytes, static_cast<unsigned>(der.size())};
      Certificate one = nss.new_certificate(handle, &item, nullptr, 0, /*copy=*/1);
      if (one == nullptr && certificates_.empty()) break;
      if (one != nullptr) certificates_.push_back(one);
    }
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  ~Chain() {
    for (Certificate one : certificates_) nss.free_certificate(one);
  }
  Certificate own() const { return certificates_.empty() ? nullptr : certificates_.front(); }

 private:
  std::vector<Certificate> certificates_;
};

/// The program's check of the real server, or of what is ours, which is good. `check(certificate, time)`: NSS's own; time 0
/// is the one that the program chose.
template <typename Check>
int verify_peer(Handle handle, Certificate certificate, Check check) {
  const int saved = errno;
  Item der{};
  const Judgements::Server* server = nullptr;
  std::string leaf;
  if (certificate != nullptr && nss.get_der(certificate, &der) == kSuccess) {
    leaf.assign(reinterpret_cast<const char*>(der.data), der.size);
    server = the_judgements->server_of(leaf);
  }
  if (server == nullptr) return check(certificate, 0);
  int result = kSuccess;
  if (!server->chain.empty()) {
    const Chain real(handle, server->chain);
    result = real.own() != nullptr ? check(real.own(), server->recorded_at * kMicroseconds)
                                   : check(certificate, 0);
    the_judgements->judge(leaf, result == kSuccess);
  } else if (the_judgements->wants_late_judge(leaf)) {
    the_judgements->set_late_judge(leaf, [handle, check](const std::vector<std::string>& ders) {
      const Chain real(handle, ders);
      return real.own() != nullptr && check(real.own(), nss.now()) == kSuccess;
    });
  }
  if (result == kSuccess) the_judgements->accept(leaf);
  errno = saved;
  return result;
}

int verify(Handle handle, Certificate certificate, int signature, int usage, long time, void* pin,
           Log log) {
  return verify_peer(handle, certificate, [=](Certificate one, long then) {
    return nss.verify(handle, one, signature, usage, then != 0 ? then : time, pin, log);
  });
}

int verify_now(Handle handle, Certificate certificate, int signature, int usage, void* pin) {
  return verify_peer(handle, certificate, [=](Certificate one, long then) {
    return then != 0 ? nss.verify(handle, one, signature, usage, then, pin, nullptr)
                     : nss.verify_now(handle, one, signature, usage, pin);
  });
}

int verify_usages(Handle handle, Certificate certificate, int signature, long usages, long time,
                  void* pin, Log log, long* returned) {
  if (returned != nullptr) *returned = usages;
  return verify_peer(handle, certificate, [=](Certificate one, long then) {
    return nss.verify_usages(handle, one, signature, usages, then != 0 ? then : time, pin, log,
                             returned);
  });
}

int verify_usages_now(Handle handle, Certificate certificate, int signature, long usages, void* pin,
                      long* returned) {
  if (returned != nullptr) *returned = usages;
  return verify_peer(handle, certificate, [=](Certificate one, long then) {
    return then != 0
               ? nss.verify_usages(handle, one, signature, usages, then, pin, nullptr, returned)
               : nss.verify_usages_now(handle, one, signature, usages, pin, returned);
  });
}

template <auto kFunction>
void* choose(void* object) {
  if (nss.verify == nullptr && !find_all(object)) return nullptr;
  the_judgements->set_asks_nss();
  return reinterpret_cast<void*>(kFunction);
}

}  // namespace

void judge_in_nss(Judgements& judgements) {
  the_judgements = &judgements;
  change_entries("CERT_VerifyCert", choose<verify>);
  change_entries("CERT_VerifyCertNow", choose<verify_now>);
  change_entries("CERT_VerifyCertificate", choose<verify_usages>);
  change_entries("CERT_VerifyCertificateNow", choose<verify_usages_now>);
}

}  // namespace cassette
