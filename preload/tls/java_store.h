// Java's stores of certificates, JKS and PKCS #12: what is in one, and one with the session's authority.
// Java reads both whatever the file is called, so the answer is always a JKS.
//
// Format of a JKS (sun.security.provider.JavaKeyStore, big-endian): 0xfeedfeed, version 2, count; entries: tag 1 (a private
// key: alias, date, key, chain) or 2 (a certificate: alias, date, type "X.509", DER); SHA-1 over the password in UTF-16,
// "Mighty Aphrodite" and all that came before.
//
// Thread safety: none of it keeps anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// As TlsApi::merge_java_store(). `authority`: DER.
std::string merge_java_store(std::string_view bytes, const std::string& password,
                             const std::string& authority, std::vector<std::string>* certificates);

}  // namespace cassette
