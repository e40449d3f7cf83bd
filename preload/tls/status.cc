// See status.h.
#include "preload/tls/status.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <memory>

namespace cassette {

namespace {

struct FreeOcsp {
  void operator()(OCSP_RESPONSE* p) const { OCSP_RESPONSE_free(p); }
  void operator()(OCSP_BASICRESP* p) const { OCSP_BASICRESP_free(p); }
};
template <typename T>
using OwnedOcsp = std::unique_ptr<T, FreeOcsp>;

/// What is said of a certificate (OCSP_single_get0_status(3)).
struct Status {
  int status = V_OCSP_CERTSTATUS_GOOD;
  int reason = -1;
  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
};

/// DER; empty: something failed.
std::string sign_status(const Status& said, X509* leaf, X509* authority, EVP_PKEY* authority_key) {
  OwnedOcsp<OCSP_BASICRESP> made(OCSP_BASICRESP_new());
  OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), leaf, authority);
  OwnedOcsp<OCSP_RESPONSE> whole;
  if (made && id != nullptr &&
      OCSP_basic_add1_status(made.get(), id, said.status, said.reason, said.revoked, said.from,
                             said.until) != nullptr &&
      OCSP_basic_sign(made.get(), authority, authority_key, EVP_sha256(), nullptr, 0) == 1) {
    whole.reset(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, made.get()));
  }
  OCSP_CERTID_free(id);
  unsigned char* bytes = nullptr;
  const int size = whole ? i2d_OCSP_RESPONSE(whole.get(), &bytes) : 0;
  std::string der(reinterpret_cast<char*>(bytes), size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

std::string mirror_status(const std::string& response, X509* leaf, X509* authority,
                          EVP_PKEY* authority_key) {
  const auto* at = reinterpret_cast<const unsigned char*>(response.data());
  OwnedOcsp<OCSP_RESPONSE> real(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(response.size())));
  std::string der;
  if (real && OCSP_response_status(real.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    der = response;  // an error, which is about nobody
  } else if (real) {
    OwnedOcsp<OCSP_BASICRESP> basic(OCSP_response_get1_basic(real.get()));
    // A server staples what is said of its own certificate, and nothing else.
    OCSP_SINGLERESP* single = basic ? OCSP_resp_get0(basic.get(), 0) : nullptr;
    if (single != nullptr) {
      Status said;
      said.status =
          OCSP_single_get0_status(single, &said.reason, &said.revoked, &said.from, &said.until);
      der = sign_status(said, leaf, authority, authority_key);
    }
  }
  ERR_clear_error();
  return der;
}

std::string good_status(X509* leaf, X509* authority, EVP_PKEY* authority_key) {
  // As the certificates (certificate.h).
  return sign_status({.status = V_OCSP_CERTSTATUS_GOOD,
                      .reason = -1,
                      .revoked = nullptr,
                      .from = X509_getm_notBefore(authority),
                      .until = X509_getm_notAfter(authority)},
                     leaf, authority, authority_key);
}

}  // namespace cassette
