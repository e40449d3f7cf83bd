// Certificate checks of a program that has GnuTLS in a shared library: as openssl.h. What is replaced
// are the functions with which a program checks its peer behind the handshake,
// gnutls_certificate_verify_peers, -2 and -3. A program that lets GnuTLS check within the handshake is reached
// when it sets its credentials (preload/hooks/files/gnutls.cc).
#pragma once

#include <string>

#include "preload/engine/trust/judgements.h"
#include "preload/engine/trust/trust.h"

namespace cassette {

/// As judge_in_openssl().
void judge_in_gnutls(Judgements& judgements, const std::string& authority);

/// The credentials (gnutls_certificate_credentials_t) trust the authority from now on. `asks_servers`: whom
/// they trusted before goes to `trust`. `object`: the handle of their GnuTLS. From any thread.
void trust_in_gnutls(void* object, void* credentials, const std::string& authority, Trust& trust,
                     bool asks_servers);

}  // namespace cassette
