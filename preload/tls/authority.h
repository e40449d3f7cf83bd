// The certificate authority of one session, and the certificates it gives to the servers that the
// library stands for. It lives as long as the session: its key is in the session's shared memory and
// nowhere else, its certificate is valid for a day.
//
// The file (owner-only, made under another name and linked: the first wins):
//   "cassauth2\n", then three times a 32-bit length and that many bytes: the authority's certificate
//   (DER), its key, the key of all leaves (P-256: the private number, the public point); then 80
//   bytes of ticket keys.
// Beside it, the certificates of servers: `<file>-leaf-<hash of what it was made for>`, DER. They are
// public.
//
// Thread safety: leaf() from any thread; the rest is constant.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "parser/result.h"
#include "preload/tls_api.h"

namespace cassette {

struct FreeOpenSsl {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeOpenSsl>;

class Authority {
 public:
  /// Reads it, or makes it.
  static Result<std::unique_ptr<Authority>> open(const std::string& file);

  const std::string& pem() const { return pem_; }
  const std::string& der() const { return der_; }
  EVP_PKEY* leaf_key() const { return leaf_key_.get(); }
  /// For resumption in every process of the session.
  const std::string& ticket_keys() const { return ticket_keys_; }

  /// A certificate for a server's host names and addresses; valid as long as this, and the same in
  /// every process of the session. `tag` tells certificates of the same names apart. nullptr: no memory.
  X509* leaf(const ServerNames& names, const std::string& tag);

 private:
  Authority() = default;
  Result<void> adopt(std::string_view bytes);
  std::string make_leaf(const ServerNames& names) const;
  Owned<X509> shared_leaf(const ServerNames& names, const std::string& tag) const;

  std::string file_;
  Owned<X509> certificate_;
  Owned<EVP_PKEY> key_;
  Owned<EVP_PKEY> leaf_key_;
  std::string pem_, der_, ticket_keys_;
  std::mutex mutex_;
  std::map<std::pair<ServerNames, std::string>, Owned<X509>> leaves_;
};

/// What OpenSSL says went wrong last; empties its list.
std::string openssl_problem();

}  // namespace cassette
