// The keys of a session's authority and of the certificates that it stands behind: P-256, and RSA for programs that know
// nothing else, or where the real server's is a weak one. Says nothing about who signs what.
//
// A P-256 key is kept as its numbers (the private one, then the public point): what OpenSSL has for reading keys of
// unknown kinds takes longer than all else that is done for an authority.
#pragma once

#include <string>
#include <string_view>

#include "preload/tls/owned.h"

namespace cassette {

/// A new P-256 key; nullptr: openssl_problem().
Owned<EVP_PKEY> make_ec_key();
/// Its numbers; empty: something failed.
std::string numbers_of(EVP_PKEY* key);
/// And back; nullptr: they are none.
Owned<EVP_PKEY> key_of(std::string_view numbers);

/// The RSA key of that size that the processes of a session share by `file` (owner-only): the first one makes it. Takes
/// some 50 ms for 2048 bits. nullptr: openssl_problem().
Owned<EVP_PKEY> shared_rsa_key(const std::string& file, int bits);

/// Writes the public half into the certificate. Not by X509_set_pubkey(3) for P-256, which writes the key and reads
/// it again by the slow way. The certificate is good for being written, not for X509_get0_pubkey(3).
bool set_key(X509* certificate, EVP_PKEY* key);

}  // namespace cassette
