// Certificate checks of a program that has NSS: as openssl.h. What is replaced are CERT_VerifyCert, CERT_VerifyCertificate and
// their kind, which libssl3 (SSL_AuthCertificate) and programs with a hook of their own call in libnss3. A program that
// builds chains by itself (Firefox) is not reached.
#pragma once

#include "preload/engine/trust/judgements.h"

namespace cassette {

/// As judge_in_openssl(). In a process with NSS `judgements` says so from then on.
void judge_in_nss(Judgements& judgements);

}  // namespace cassette
