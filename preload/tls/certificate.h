// Certificates out of nothing: a session's authority, and the leaf of an ordinary server that nobody has to look at, with all
// that the strictest client asks for. Those that are like a real server's are in mirror.h.
#pragma once

#include "preload/tls/owned.h"
#include "preload/tls_api.h"

namespace cassette {

/// Valid whatever the date: a session lives as long as it likes, and its processes may have clocks of their own. Self-signed;
/// nullptr: openssl_problem().
Owned<X509> make_authority_certificate(EVP_PKEY* key);

/// Of the same kind, with another name.
Owned<X509> make_stranger(const X509_NAME* name, EVP_PKEY* key);

/// For host names and addresses, as long as the authority; nullptr: openssl_problem().
Owned<X509> make_leaf(const ServerNames& names, EVP_PKEY* key, X509* authority,
                      EVP_PKEY* authority_key);

/// From the first day that there is to one that never comes (RFC 5280 section 4.1.2.5). False: no memory.
bool set_always_valid(X509* certificate);
bool set_first_day(ASN1_TIME* time);
bool set_never_ending(X509* certificate);
/// A serial number that nobody else has. False: openssl_problem().
bool set_random_number(X509* certificate);
/// An extension as openssl(1)'s configuration files have it; `issuer`: whose key an authority key identifier names. `at`:
/// before which one; -1: behind all.
bool add_extension(X509* certificate, X509* issuer, int kind, const char* value, int at = -1);

}  // namespace cassette
