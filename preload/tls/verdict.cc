// See verdict.h. X509_verify_cert(3); what of the leaf is its dates and its name is told apart, because a mirrored one has
// the same, and the program looks at them itself.
#include "preload/tls/verdict.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <map>
#include <mutex>

#include "preload/tls/owned.h"

namespace cassette {

namespace {

/// One for each set of anchors; never freed.
X509_STORE* store_for(const Anchors& anchors) {
  static std::mutex mutex;
  static auto* stores = new std::map<Anchors, Owned<X509_STORE>>;
  std::lock_guard guard(mutex);
  Owned<X509_STORE>& store = (*stores)[anchors];
  if (store) return store.get();
  store.reset(X509_STORE_new());
  if (!store) return nullptr;
  for (const std::string& file : anchors.files) X509_STORE_load_file(store.get(), file.c_str());
  for (const std::string& der : anchors.certificates) {
    if (Owned<X509> certificate = certificate_of(der))
      X509_STORE_add_cert(store.get(), certificate.get());
  }
  return store.get();
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

/// Notes that the dates of the server's own are wrong, and goes on; so with what it is for, which a mirrored one says too.
int pass_over_own(int good, X509_STORE_CTX* context) {
  if (good == 1 || X509_STORE_CTX_get_error_depth(context) != 0) return good;
  switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      static_cast<ChainVerdict*>(X509_STORE_CTX_get_app_data(context))->is_in_time = false;
      return 1;
    case X509_V_ERR_INVALID_PURPOSE:
      return 1;
    default:
      return 0;
  }
}

/// Authorities between the server's own and the one that is trusted: their weakness does not show in a mirrored leaf.
bool is_weak_within(X509_STORE_CTX* context) {
  constexpr int kLeastBits = 2048;
  constexpr int kLeastStrength = 80;
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 1; i + 1 < sk_X509_num(chain); ++i) {
    X509* one = sk_X509_value(chain, i);
    EVP_PKEY* key = X509_get0_pubkey(one);
    int strength = 0;
    X509_get_signature_info(one, nullptr, nullptr, &strength, nullptr);
    if (key == nullptr || strength < kLeastStrength) return true;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < kLeastBits)
      return true;
  }
  return false;
}

}  // namespace

ChainVerdict judge_chain(const std::vector<std::string>& chain, const ServerNames& names,
                         const Anchors& anchors, std::int64_t at) {
  ChainVerdict verdict;
  STACK_OF(X509)* rest = sk_X509_new_null();
  for (const std::string& der : chain) {
    Owned<X509> certificate = certificate_of(der);
    if (!certificate || sk_X509_push(rest, certificate.get()) <= 0) break;
    certificate.release();
  }
  X509* own = sk_X509_value(rest, 0);
  X509_STORE* store = store_for(anchors);
  Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (own == nullptr || store == nullptr || !context ||
      X509_STORE_CTX_init(context.get(), store, own, rest) != 1) {
    verdict.problem = "it sent no certificate";
  } else {
    verdict.is_in_time = true;
    X509_STORE_CTX_set_app_data(context.get(), &verdict);
    X509_STORE_CTX_set_default(context.get(), "ssl_server");
    X509_STORE_CTX_set_verify_cb(context.get(), pass_over_own);
    if (at != 0) X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), at);
    verdict.is_trusted = X509_verify_cert(context.get()) == 1 && !is_weak_within(context.get());
    if (!verdict.is_trusted)
      verdict.problem = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
    for (const std::string& name : names) {
      if (is_for(own, name)) verdict.names.push_back(name);
    }
    if (!verdict.is_in_time) verdict.problem = "it has expired, or is not valid yet";
    if (verdict.names.empty()) verdict.problem = "it is for another name";
  }
  sk_X509_pop_free(rest, X509_free);
  ERR_clear_error();
  return verdict;
}

}  // namespace cassette
