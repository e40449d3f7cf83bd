// Certificate checks of a program that has GnuTLS in a shared library: as openssl_trust.h. What is replaced
// are the functions with which a program checks its peer behind the handshake,
// gnutls_certificate_verify_peers, -2 and -3.
#pragma once

#include <string>

#include "preload/engine/judgements.h"

namespace cassette {

/// As judge_in_openssl().
void judge_in_gnutls(Judgements& judgements, const std::string& authority);

}  // namespace cassette
