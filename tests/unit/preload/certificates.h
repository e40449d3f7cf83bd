// Certificates of a world that knows nothing of the library, made by OpenSSL alone, and OpenSSL's own verdict on a chain.
#pragma once

#include <gtest/gtest.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "preload/tls/owned.h"

namespace cassette {

inline constexpr std::int64_t kDay = 24L * 60 * 60;

/// What a certificate of somebody else's says.
struct CertificatePlan {
  std::string subject;  ///< its common name
  /// As openssl(1)'s configuration files have them, in this order.
  std::vector<std::pair<int, std::string>> extensions = {};
  std::int64_t begins = -30 * kDay;  ///< seconds from now
  std::int64_t ends = 60 * kDay;
  const EVP_MD* digest = EVP_sha256();
  long version = X509_VERSION_3;
  int rsa_bits = 0;  ///< of its key; 0: it is P-256
};

struct RealCertificate {
  Owned<X509> x509;
  EVP_PKEY* key = nullptr;  ///< of the process
  std::string der() const { return der_of(x509.get()); }
  X509* get() const { return x509.get(); }
};

/// One for each name and size, made once: what costs time is RSA.
inline EVP_PKEY* test_key(const std::string& name, int rsa_bits) {
  static auto* keys = new std::map<std::pair<std::string, int>, Owned<EVP_PKEY>>;
  Owned<EVP_PKEY>& key = (*keys)[{rsa_bits == 0 ? name : "", rsa_bits}];
  if (!key)
    key.reset(rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(static_cast<unsigned>(rsa_bits)));
  return key.get();
}

inline std::vector<std::pair<int, std::string>> authority_extensions() {
  return {{NID_basic_constraints, "critical,CA:TRUE"},
          {NID_key_usage, "critical,keyCertSign,cRLSign"},
          {NID_subject_key_identifier, "hash"}};
}
inline std::vector<std::pair<int, std::string>> server_extensions(const std::string& name) {
  return {
      {NID_basic_constraints, "critical,CA:FALSE"}, {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, "serverAuth,clientAuth"}, {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid"},      {NID_subject_alt_name, "DNS:" + name}};
}

/// `issuer` nullptr: it signs itself.
inline RealCertificate make_real(const CertificatePlan& plan,
                                 const RealCertificate* issuer = nullptr) {
  static long serial = 1000;
  RealCertificate made{Owned<X509>(X509_new()), test_key(plan.subject, plan.rsa_bits)};
  X509* it = made.get();
  EXPECT_EQ(X509_set_version(it, plan.version), 1);
  ASN1_INTEGER_set(X509_get_serialNumber(it), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(it), plan.begins);
  X509_gmtime_adj(X509_getm_notAfter(it), plan.ends);
  X509_NAME* subject = X509_get_subject_name(it);
  for (const auto& [field, text] :
       {std::pair("O", std::string("The world")), std::pair("CN", plan.subject)}) {
    EXPECT_EQ(X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(text.data()),
                                         static_cast<int>(text.size()), -1, 0),
              1);
  }
  X509* signer = issuer != nullptr ? issuer->get() : it;
  X509_set_issuer_name(it, X509_get_subject_name(signer));
  X509_set_pubkey(it, made.key);
  CONF* none = NCONF_new(nullptr);  // some kinds want one
  for (const auto& [kind, value] : plan.extensions) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, it, nullptr, nullptr, 0);
    X509V3_set_nconf(&context, none);
    X509_EXTENSION* extension = X509V3_EXT_nconf_nid(none, &context, kind, value.c_str());
    EXPECT_EQ(X509_add_ext(it, extension, -1), 1) << value;
    X509_EXTENSION_free(extension);
  }
  NCONF_free(none);
  EXPECT_GT(X509_sign(it, issuer != nullptr ? issuer->key : made.key, plan.digest), 0);
  // Read again, as whoever meets it does.
  made.x509 = certificate_of(made.der());
  EXPECT_TRUE(made.x509);
  ERR_clear_error();
  return made;
}

inline RealCertificate make_authority(const std::string& name,
                                      const RealCertificate* issuer = nullptr) {
  CertificatePlan plan{.subject = name, .extensions = authority_extensions()};
  if (issuer != nullptr) plan.extensions.emplace_back(NID_authority_key_identifier, "keyid");
  return make_real(plan, issuer);
}
inline RealCertificate make_server(const std::string& name, const RealCertificate* issuer) {
  return make_real({.subject = name, .extensions = server_extensions(name)}, issuer);
}

/// How a program checks.
struct CheckPlan {
  std::vector<X509*> trusts = {};
  std::string name = {};  ///< whom it wants; empty: anybody
  int level = 0;          ///< SSL_CTX_set_security_level(3)
  unsigned long flags = 0;
  std::time_t at = 0;  ///< its clock; 0: now
};

/// X509_V_... of a server's chain, the server's own first, as a program that ends with the first error says it.
inline int verdict_of(const std::vector<X509*>& chain, const CheckPlan& plan) {
  Owned<X509_STORE> store(X509_STORE_new());
  for (X509* one : plan.trusts) X509_STORE_add_cert(store.get(), one);
  STACK_OF(X509)* sent = sk_X509_new_null();
  for (X509* one : chain) sk_X509_push(sent, one);
  Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain.empty() ? nullptr : chain.front(), sent);
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_auth_level(parameters, plan.level);
  X509_VERIFY_PARAM_set_flags(parameters, plan.flags);
  if (plan.at != 0) X509_VERIFY_PARAM_set_time(parameters, plan.at);
  if (!plan.name.empty())
    X509_VERIFY_PARAM_set1_host(parameters, plan.name.data(), plan.name.size());
  const bool good = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  EXPECT_EQ(good, error == X509_V_OK);
  sk_X509_free(sent);
  ERR_clear_error();
  return error;
}

inline std::string write_certificates(const std::string& file,
                                      const std::vector<X509*>& certificates) {
  BIO* out = BIO_new_file(file.c_str(), "w");
  for (X509* one : certificates) EXPECT_EQ(PEM_write_bio_X509(out, one), 1);
  BIO_free(out);
  return file;
}

}  // namespace cassette
