// See gnutls.h.
#include "preload/engine/trust/gnutls.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "preload/engine/entries.h"

namespace cassette {

namespace {

// GnuTLS's types and numbers (gnutls/gnutls.h), which are the same in all of 3.x.
struct Datum {
  const unsigned char* data;
  unsigned int size;
};
struct TypedData {
  int kind;
  unsigned char* data;
  unsigned int size;
};
using Session = void*;
using Credentials = void*;
using TrustList = void*;
using Certificate = void*;
constexpr int kCertificateCredentials = 1;
constexpr int kDer = 0;
constexpr int kHostName = 1;               // GNUTLS_DT_DNS_HOSTNAME
constexpr unsigned kIgnoresTime = 1 << 6;  // GNUTLS_VERIFY_DISABLE_TIME_CHECKS
constexpr unsigned kInvalid = 1 << 1;      // GNUTLS_CERT_INVALID
constexpr unsigned kNotYetValid = 1 << 9;  // GNUTLS_CERT_NOT_ACTIVATED
constexpr unsigned kExpired = 1 << 10;     // GNUTLS_CERT_EXPIRED

struct GnuTls {
  int (*verify)(Session, TypedData*, unsigned, unsigned*);
  int (*verify2)(Session, unsigned*);
  int (*verify3)(Session, const char*, unsigned*);
  const Datum* (*get_peers)(Session, unsigned*);
  int (*get_credentials)(Session, int, Credentials*);
  void (*get_trust_list)(Credentials, TrustList*);
  unsigned (*get_flags)(Credentials);
  time_t (*begins)(Certificate);
  time_t (*ends)(Certificate);
  int (*get_issuer)(TrustList, Certificate, Certificate*, unsigned);
  unsigned (*is_issued_by)(Certificate, Certificate);
  int (*add_trust)(Credentials, const Datum*, int);
  int (*verify_chain)(TrustList, Certificate*, unsigned, TypedData*, unsigned, unsigned, unsigned*,
                      void*);
  int (*new_certificate)(Certificate*);
  int (*read_certificate)(Certificate, const Datum*, int);
  void (*free_certificate)(Certificate);
  int (*next_authority)(TrustList, void** position, Certificate*);
  int (*write_certificate)(Certificate, int, Datum*);
  void (**free_memory)(void*);
};

Judgements* the_judgements;
const std::string* the_authority;
GnuTls gnutls;  // a process with two of them is not known

bool find_all(void* object) {
  GnuTls& it = gnutls;
  return find(object, "gnutls_certificate_verify_peers", it.verify) &&
         find(object, "gnutls_certificate_verify_peers2", it.verify2) &&
         find(object, "gnutls_certificate_verify_peers3", it.verify3) &&
         find(object, "gnutls_certificate_get_peers", it.get_peers) &&
         find(object, "gnutls_credentials_get", it.get_credentials) &&
         find(object, "gnutls_certificate_get_trust_list", it.get_trust_list) &&
         find(object, "gnutls_certificate_get_verify_flags", it.get_flags) &&
         find(object, "gnutls_x509_crt_get_activation_time", it.begins) &&
         find(object, "gnutls_x509_crt_get_expiration_time", it.ends) &&
         find(object, "gnutls_x509_trust_list_get_issuer", it.get_issuer) &&
         find(object, "gnutls_x509_crt_check_issuer", it.is_issued_by) &&
         find(object, "gnutls_certificate_set_x509_trust_mem", it.add_trust) &&
         find(object, "gnutls_x509_trust_list_verify_crt2", it.verify_chain) &&
         find(object, "gnutls_x509_crt_init", it.new_certificate) &&
         find(object, "gnutls_x509_crt_import", it.read_certificate) &&
         find(object, "gnutls_x509_crt_deinit", it.free_certificate) &&
         find(object, "gnutls_x509_trust_list_iter_get_ca", it.next_authority) &&
         find(object, "gnutls_x509_crt_export2", it.write_certificate) &&
         find(object, "gnutls_free", it.free_memory);
}

/// Whom the credentials trust, DER.
std::vector<std::string> authorities_of(Credentials credentials) {
  std::vector<std::string> all;
  TrustList list = nullptr;
  gnutls.get_trust_list(credentials, &list);
  void* position = nullptr;
  Certificate certificate = nullptr;
  while (list != nullptr && gnutls.next_authority(list, &position, &certificate) >= 0) {
    Datum der{};
    if (gnutls.write_certificate(certificate, kDer, &der) >= 0) {
      all.emplace_back(reinterpret_cast<const char*>(der.data), der.size);
      (*gnutls.free_memory)(const_cast<unsigned char*>(der.data));
    }
    gnutls.free_certificate(certificate);
  }
  return all;
}

/// What GnuTLS would have said then of the dates of those who lead to somebody trusted.
unsigned dates_of(TrustList trusted, const std::vector<Certificate>& chain, time_t then) {
  unsigned status = 0;
  Certificate one = chain.front();
  for (std::size_t steps = 0; one != nullptr && steps < chain.size(); ++steps) {
    if (gnutls.begins(one) > then) status |= kInvalid | kNotYetValid;
    if (gnutls.ends(one) < then) status |= kInvalid | kExpired;
    Certificate issuer = nullptr;
    if (gnutls.get_issuer(trusted, one, &issuer, 0) >= 0) break;
    auto next = std::find_if(chain.begin(), chain.end(), [one](Certificate other) {
      return other != one && gnutls.is_issued_by(one, other) != 0;
    });
    one = next != chain.end() ? *next : nullptr;
  }
  return status;
}

/// What the program's own store says of the real server's chain; 0: trusted. A negative number: an error of GnuTLS's.
int verify_server(Credentials credentials, const Judgements::Server& server, TypedData* data,
                  unsigned elements, unsigned* status) {
  TrustList trusted = nullptr;
  gnutls.get_trust_list(credentials, &trusted);
  std::vector<Certificate> certificates;
  for (const std::string& der : server.chain) {
    Certificate certificate = nullptr;
    const Datum datum{reinterpret_cast<const unsigned char*>(der.data()),
                      static_cast<unsigned>(der.size())};
    if (gnutls.new_certificate(&certificate) < 0) break;
    certificates.push_back(certificate);
    if (gnutls.read_certificate(certificate, &datum, kDer) < 0) break;
  }
  *status = kInvalid;
  int result = 0;
  if (trusted != nullptr && certificates.size() == server.chain.size()) {
    unsigned flags = gnutls.get_flags(credentials);
    if (server.recorded_at != 0) flags |= kIgnoresTime;
    result = gnutls.verify_chain(trusted, certificates.data(),
                                 static_cast<unsigned>(certificates.size()), data, elements, flags,
                                 status, nullptr);
    if (server.recorded_at != 0 && (gnutls.get_flags(credentials) & kIgnoresTime) == 0) {
      // Its clock is the process's own, and cannot be told another time.
      *status |= dates_of(trusted, certificates, server.recorded_at);
    }
  }
  for (Certificate certificate : certificates) gnutls.free_certificate(certificate);
  return result;
}

/// The program's check of its peer: of the real server, or of ours with the session's authority among those that it trusts.
template <typename Check>
int verify_session(Session session, TypedData* data, unsigned elements, unsigned* status,
                   Check check) {
  unsigned count = 0;
  const Datum* peers = gnutls.get_peers(session, &count);
  if (peers == nullptr || count == 0) return check();
  const std::string leaf(reinterpret_cast<const char*>(peers[0].data), peers[0].size);
  const Judgements::Server* server = the_judgements->server_of(leaf);
  Credentials credentials = nullptr;
  if (server == nullptr ||
      gnutls.get_credentials(session, kCertificateCredentials, &credentials) < 0) {
    return check();
  }
  int result = 0;
  if (!server->chain.empty()) {
    result = verify_server(credentials, *server, data, elements, status);
    the_judgements->judge(leaf, result >= 0 && *status == 0);
  } else {
    const Datum authority{reinterpret_cast<const unsigned char*>(the_authority->data()),
                          static_cast<unsigned>(the_authority->size())};
    gnutls.add_trust(credentials, &authority, kDer);
    result = check();
  }
  if (result >= 0 && *status == 0) the_judgements->accept(leaf);
  return result;
}

int verify(Session session, TypedData* data, unsigned elements, unsigned* status) {
  return verify_session(session, data, elements, status,
                        [&] { return gnutls.verify(session, data, elements, status); });
}
int verify2(Session session, unsigned* status) {
  return verify_session(session, nullptr, 0, status,
                        [&] { return gnutls.verify2(session, status); });
}
int verify3(Session session, const char* host, unsigned* status) {
  // As it does itself (gnutls_certificate_verify_peers3(3)); the name ends with a NUL, so its size is not asked for.
  TypedData name{kHostName, reinterpret_cast<unsigned char*>(const_cast<char*>(host)), 0};
  return verify_session(session, host != nullptr ? &name : nullptr, host != nullptr ? 1 : 0, status,
                        [&] { return gnutls.verify3(session, host, status); });
}

template <auto kFunction>
void* choose(void* object) {
  return gnutls.verify2 != nullptr || find_all(object) ? reinterpret_cast<void*>(kFunction)
                                                       : nullptr;
}

}  // namespace

void trust_in_gnutls(void* object, void* credentials, const std::string& authority, Trust& trust,
                     bool asks_servers) {
  static std::mutex mutex;
  std::lock_guard guard(mutex);
  if (gnutls.verify2 == nullptr && !find_all(object)) return;
  if (asks_servers) {
    std::vector<std::string> authorities = authorities_of(credentials);
    std::erase(authorities, authority);
    trust.saw_certificates(authorities, /*chosen=*/true);
  }
  const Datum der{reinterpret_cast<const unsigned char*>(authority.data()),
                  static_cast<unsigned>(authority.size())};
  gnutls.add_trust(credentials, &der, kDer);
}

void judge_in_gnutls(Judgements& judgements, const std::string& authority) {
  the_judgements = &judgements;
  the_authority = &authority;
  change_entries("gnutls_certificate_verify_peers", choose<verify>);
  change_entries("gnutls_certificate_verify_peers2", choose<verify2>);
  change_entries("gnutls_certificate_verify_peers3", choose<verify3>);
}

}  // namespace cassette
