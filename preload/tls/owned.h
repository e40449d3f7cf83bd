// OpenSSL's objects with an owner, certificates as bytes, and what OpenSSL says of its errors.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

namespace cassette {

struct FreeOpenSsl {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_NAME* p) const { X509_NAME_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(X509_STORE* p) const { X509_STORE_free(p); }
  void operator()(X509_STORE_CTX* p) const { X509_STORE_CTX_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeOpenSsl>;

/// DER; empty when there is no memory.
std::string der_of(const X509* certificate);
/// nullptr: `der` holds none at its beginning, which is taken off it.
Owned<X509> take_certificate(std::string_view& der);
inline Owned<X509> certificate_of(std::string_view der) { return take_certificate(der); }

/// What OpenSSL says went wrong last; empties its list.
std::string openssl_problem();

}  // namespace cassette
