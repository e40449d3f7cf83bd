// What a server says of its own certificate's revocation (OCSP stapling, RFC 6960, RFC 6066 section 8), said again of a mirrored
// one: the same status and the same dates, signed by the session's authority. In replay an ordinary certificate is good.
#pragma once

#include <string>

#include "preload/tls/owned.h"

namespace cassette {

/// `response`: the real server's, DER. DER; empty: it is none that could be said again.
std::string mirror_status(const std::string& response, X509* leaf, X509* authority,
                          EVP_PKEY* authority_key);

/// That the certificate is good, whatever the date. DER; empty: openssl_problem().
std::string good_status(X509* leaf, X509* authority, EVP_PKEY* authority_key);

}  // namespace cassette
