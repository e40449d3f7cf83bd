// See verdict.h. X509_verify_cert(3); what of the leaf is its dates and its name is told apart, because a mirrored one has
// the same, and the program looks at them itself.
#include "preload/tls/verdict.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "preload/tls/owned.h"

namespace cassette {

namespace {

/// A certificate that is not looked into before it is needed: to understand the keys of a system's bundle takes fifty
/// times as long as all else here.
struct Anchor {
  Owned<X509_NAME> subject;
  std::string der;
  bool has_rules = false;  ///< what it is trusted for, openssl-x509(1)
};

/// Takes the head of the next object off, which says its `size`; false: there is none.
bool enter(const unsigned char** at, long* left, long* size) {
  int tag = 0;
  int kind = 0;
  const unsigned char* begin = *at;
  if ((ASN1_get_object(at, size, &tag, &kind, *left) & 0x80) != 0) return false;
  *left -= *at - begin;
  return true;
}
/// The same for the whole of it.
bool skip(const unsigned char** at, long* left) {
  long size = 0;
  if (!enter(at, left, &size)) return false;
  *at += size;
  *left -= size;
  return *left >= 0;
}

/// RFC 5280 section 4.1; nullptr: that is no certificate.
Owned<X509_NAME> subject_of(const std::string& der) {
  constexpr unsigned char kVersion = 0xa0;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  auto left = static_cast<long>(der.size());
  long size = 0;
  if (!enter(&at, &left, &size) || !enter(&at, &left, &size) || left <= 0) return nullptr;
  if (*at == kVersion && !skip(&at, &left)) return nullptr;
  // Serial number, algorithm, issuer, validity.
  for (int i = 0; i < 4; ++i) {
    if (!skip(&at, &left)) return nullptr;
  }
  return Owned<X509_NAME>(d2i_X509_NAME(nullptr, &at, left));
}

/// Read once, and never freed.
const std::vector<Anchor>& anchors_in(const std::string& file) {
  static std::mutex mutex;
  static auto* files = new std::map<std::string, std::vector<Anchor>>;
  std::lock_guard guard(mutex);
  auto [found, is_new] = files->try_emplace(file);
  BIO* content = is_new ? BIO_new_file(file.c_str(), "r") : nullptr;
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  while (content != nullptr && PEM_read_bio(content, &name, &header, &bytes, &size) == 1) {
    const std::string_view kind = name;
    Anchor anchor;
    anchor.der.assign(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    anchor.has_rules = kind == PEM_STRING_X509_TRUSTED;
    if (anchor.has_rules || kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD)
      anchor.subject = subject_of(anchor.der);
    if (anchor.subject) found->second.push_back(std::move(anchor));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(bytes);
  }
  BIO_free(content);
  ERR_clear_error();
  return found->second;
}

Owned<X509> read(const Anchor& anchor) {
  if (!anchor.has_rules) return certificate_of(anchor.der);
  const auto* at = reinterpret_cast<const unsigned char*>(anchor.der.data());
  return Owned<X509>(d2i_X509_AUX(nullptr, &at, static_cast<long>(anchor.der.size())));
}

/// Those that may have signed the chain, or each other.
Owned<X509_STORE> store_for(const Anchors& anchors, const STACK_OF(X509) * chain) {
  Owned<X509_STORE> store(X509_STORE_new());
  if (!store) return store;
  std::vector<const Anchor*> all;
  for (const std::string& file : anchors.files) {
    for (const Anchor& anchor : anchors_in(file)) all.push_back(&anchor);
  }
  std::vector<Anchor> seen;
  for (const std::string& der : anchors.certificates) {
    if (Owned<X509_NAME> subject = subject_of(der))
      seen.push_back({std::move(subject), der, false});
  }
  for (const Anchor& anchor : seen) all.push_back(&anchor);
  std::vector<Owned<X509>> added;
  auto add_issuers_of = [&](X509* certificate) {
    std::erase_if(all, [&](const Anchor* anchor) {
      if (X509_NAME_cmp(anchor->subject.get(), X509_get_issuer_name(certificate)) != 0)
        return false;
      if (Owned<X509> issuer = read(*anchor)) added.push_back(std::move(issuer));
      return true;
    });
  };
  for (int i = 0; i < sk_X509_num(chain); ++i) add_issuers_of(sk_X509_value(chain, i));
  for (std::size_t i = 0; i < added.size(); ++i) {
    X509_STORE_add_cert(store.get(), added[i].get());
    add_issuers_of(added[i].get());
  }
  return store;
}

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

bool is_for(X509* certificate, const std::string& name) {
  if (is_address(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  return X509_check_host(certificate, name.c_str(), name.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

/// What is wrong with a chain, and with its copy too.
struct Faults {
  bool is_in_time = true;  ///< the server's own
  int own = X509_V_OK;
  int within = X509_V_OK;  ///< somebody between it and whom it leads to
};

bool shows_in_mirror(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
      return true;
    default:
      return false;
  }
}

/// X509_STORE_CTX_set_verify_cb(3): notes what the program will find by itself, and goes on.
int note_fault(int good, X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  if (good == 1 || !shows_in_mirror(error)) return good;
  auto* faults = static_cast<Faults*>(X509_STORE_CTX_get_app_data(context));
  if (X509_STORE_CTX_get_error_depth(context) != 0) {
    faults->within = error;
  } else if (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID) {
    faults->is_in_time = false;
  } else {
    faults->own = error;
  }
  return 1;
}

/// The server's own, and, where `whole`, those that lead from it to whom is trusted.
std::vector<std::string> path_of(X509_STORE_CTX* context, bool whole) {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  std::vector<std::string> path;
  const int end = whole ? sk_X509_num(chain) - 1 : 1;
  for (int i = 0; i == 0 || i < end; ++i) path.push_back(der_of(sk_X509_value(chain, i)));
  return path;
}

bool is_weak(X509* certificate) {
  constexpr int kLeastBits = 2048;
  constexpr int kLeastStrength = 80;
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  int strength = 0;
  X509_get_signature_info(certificate, nullptr, nullptr, &strength, nullptr);
  if (key == nullptr || strength < kLeastStrength) return true;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < kLeastBits;
}

/// Authorities between the server's own and the one that is trusted: their weakness does not show in a mirrored chain.
bool is_weak_within(X509_STORE_CTX* context) {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 1; i + 1 < sk_X509_num(chain); ++i) {
    if (is_weak(sk_X509_value(chain, i))) return true;
  }
  return false;
}

ChainVerdict judge_by(X509_STORE* store, X509* own, STACK_OF(X509) * rest, const ServerNames& names,
                      std::int64_t at) {
  ChainVerdict verdict;
  Faults faults;
  Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (own == nullptr || store == nullptr || !context ||
      X509_STORE_CTX_init(context.get(), store, own, rest) != 1) {
    verdict.problem = "it sent no certificate";
    return verdict;
  }
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
  X509_STORE_CTX_set_app_data(context.get(), &faults);
  X509_STORE_CTX_set_verify_cb(context.get(), note_fault);
  if (at != 0) X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), at);
  const bool leads = X509_verify_cert(context.get()) == 1;
  const bool weak_within = leads && is_weak_within(context.get());
  verdict.is_anchored = leads && !weak_within;
  if (is_weak(own) && X509_check_issued(own, own) != X509_V_OK)
    faults.own = X509_V_ERR_CA_MD_TOO_WEAK;
  if (verdict.is_anchored) verdict.path = path_of(context.get(), faults.within != X509_V_OK);
  const int fault = weak_within                  ? X509_V_ERR_CA_KEY_TOO_SMALL
                    : !leads                     ? X509_STORE_CTX_get_error(context.get())
                    : faults.within != X509_V_OK ? faults.within
                                                 : faults.own;
  verdict.is_in_time = faults.is_in_time;
  verdict.is_trusted = verdict.is_anchored && fault == X509_V_OK;
  if (!verdict.is_trusted) verdict.problem = X509_verify_cert_error_string(fault);
  for (const std::string& name : names) {
    if (is_for(own, name)) verdict.names.push_back(name);
  }
  if (!verdict.is_in_time) verdict.problem = "it has expired, or is not valid yet";
  if (verdict.names.empty()) verdict.problem = "it is for another name";
  return verdict;
}

ChainVerdict judge_anew(const std::vector<std::string>& chain, const ServerNames& names,
                        const Anchors& anchors, std::int64_t at) {
  STACK_OF(X509)* rest = sk_X509_new_null();
  for (const std::string& der : chain) {
    Owned<X509> certificate = certificate_of(der);
    if (!certificate || sk_X509_push(rest, certificate.get()) <= 0) break;
    certificate.release();
  }
  X509* own = sk_X509_value(rest, 0);
  const ChainVerdict verdict = judge_by(store_for(anchors, rest).get(), own, rest, names, at);
  sk_X509_pop_free(rest, X509_free);
  ERR_clear_error();
  return verdict;
}

/// Of everything that a verdict depends on but the time: nobody can make two that are the same. Empty: no memory.
std::string digest_of(const std::vector<std::string>& chain, const ServerNames& names,
                      const Anchors& anchors, std::int64_t at) {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> state(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!state || EVP_DigestInit_ex(state.get(), EVP_sha256(), nullptr) != 1) return {};
  EVP_DigestUpdate(state.get(), &at, sizeof at);
  for (const std::vector<std::string>* list :
       {&chain, &names, &anchors.files, &anchors.certificates}) {
    const std::size_t count = list->size();
    EVP_DigestUpdate(state.get(), &count, sizeof count);
    for (const std::string& one : *list) {
      const std::size_t length = one.size();
      EVP_DigestUpdate(state.get(), &length, sizeof length);
      EVP_DigestUpdate(state.get(), one.data(), length);
    }
  }
  if (EVP_DigestFinal_ex(state.get(), sum, &size) != 1) return {};
  return std::string(reinterpret_cast<char*>(sum), size);
}

}  // namespace

ChainVerdict judge_chain(const std::vector<std::string>& chain, const ServerNames& names,
                         const Anchors& anchors, std::int64_t at) {
  // A program that makes many connections to a server meets the same chain each time, and to understand a certificate's key
  // takes as long as the rest of a handshake.
  struct Judged {
    std::time_t when = 0;
    ChainVerdict verdict;
  };
  constexpr std::time_t kFresh = 10;
  constexpr std::size_t kMost = 1000;
  static std::mutex mutex;
  static auto* judged = new std::map<std::string, Judged>;
  const std::string digest = digest_of(chain, names, anchors, at);
  const std::time_t now = std::time(nullptr);
  if (digest.empty()) return judge_anew(chain, names, anchors, at);
  {
    std::lock_guard guard(mutex);
    auto found = judged->find(digest);
    if (found != judged->end() && now - found->second.when < kFresh && now >= found->second.when)
      return found->second.verdict;
  }
  ChainVerdict verdict = judge_anew(chain, names, anchors, at);
  std::lock_guard guard(mutex);
  if (judged->size() >= kMost) judged->clear();
  (*judged)[digest] = {now, verdict};
  return verdict;
}

}  // namespace cassette
