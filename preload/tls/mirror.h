// A certificate that deserves the same verdict as a real server's: its subject, names, dates and extensions with a key of
// ours, and whatever is wrong with it. Where the real chain leads to somebody whom the program trusts, the session's
// authority signs it; where it does not, the whole chain is made again with keys that nobody trusts, so that the program's
// check fails as it would have.
//
// Must not decide who is trusted: that is told (verdict.h, and the program's own store).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/tls/owned.h"

namespace cassette {

/// Whose keys sign.
struct MirrorKeys {
  EVP_PKEY* leaf = nullptr;
  X509* authority = nullptr;
  EVP_PKEY* authority_key = nullptr;
  /// Of all who are not trusted: the authorities in the chain.
  EVP_PKEY* stranger = nullptr;
};

/// The certificates of `chain` (DER, the server's own first, the rest in any order and of any use) in the order in which a
/// server sends them. `trusted`: the authority signs the last one. `recorded_at` (seconds since 1970): the chain was met then, and what
/// was valid is valid now, and so on; 0: it is met now. `own_number`: the serial numbers are not the real ones. Empty: the chain holds no certificate, or there is no memory.
std::vector<Owned<X509>> mirror_chain(const std::vector<std::string>& chain, bool trusted,
                                      std::int64_t recorded_at, const MirrorKeys& keys,
                                      bool own_number = false);

/// It names itself as its issuer.
bool is_self_issued(X509* certificate);

/// The bits of an RSA key that the program may find too weak (below 2048); 0: it is none.
int weak_rsa_bits(const std::string& certificate);

}  // namespace cassette
