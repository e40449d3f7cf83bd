// The certificate authority of one session, and what it gives to the servers that the library stands for. It lives as long
// as the session: its key is in the session's shared memory and nowhere else.
//
// The file (owner-only, made under another name and linked: the first wins):
//   "cassauth3\n", then four times a 32-bit length and that many bytes: the authority's certificate
//   (DER), its key, the key of all leaves, the key of all whom nobody trusts (keys.h); then 80 bytes of
//   ticket keys.
// Beside it, the certificates of servers: `<file>-leaf-<hash of what it was made for>`, DER one behind the other. They are
// public. And RSA keys of leaves, by their size: `<file>-rsa-2048` (owner-only).
//
// Thread safety: identity_of() from any thread; the rest is constant.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "parser/result.h"
#include "preload/tls/mirror.h"
#include "preload/tls/owned.h"
#include "preload/tls_api.h"

namespace cassette {

class Authority {
 public:
  /// Reads it, or makes it.
  static Result<std::unique_ptr<Authority>> open(const std::string& file);

  const std::string& pem() const { return pem_; }
  const std::string& der() const { return der_; }
  /// For resumption in every process of the session.
  const std::string& ticket_keys() const { return ticket_keys_; }

  /// What a server shows: its own certificate first, and its key.
  struct Identity {
    std::vector<Owned<X509>> chain;
    std::string leaf;  ///< the first, DER
    EVP_PKEY* key = nullptr;
    bool is_trusted = true;
  };
  /// The same in every process of the session, valid as long as this. `rsa_bits`: of the key; 0: it is P-256. Without a chain:
  /// openssl_problem() says why.
  const Identity& identity_of(const ServerFace& face, int rsa_bits);
  /// What is stapled to an identity's certificate.
  struct Status {
    std::string response;      ///< OCSP, DER; empty: it cannot be made
    std::string signer;        ///< the certificate that it is signed with, DER
    bool adds_signer = false;  ///< which is not in the identity's chain
  };
  /// `real`: what the real server says of its own, DER; empty: the certificate is good.
  Status status_of(const Identity& identity, const std::string& real) const;
  X509* certificate() const { return certificate_.get(); }

 private:
  Authority() = default;
  Result<void> adopt(std::string_view bytes);
  EVP_PKEY* leaf_key(int rsa_bits);
  std::vector<Owned<X509>> make_chain(const ServerFace& face, EVP_PKEY* key) const;
  std::vector<Owned<X509>> shared_chain(const std::string& name, const ServerFace& face,
                                        EVP_PKEY* key) const;

  std::string file_;
  Owned<X509> certificate_;
  Owned<EVP_PKEY> key_;
  Owned<EVP_PKEY> leaf_key_;
  Owned<EVP_PKEY> stranger_key_;
  std::string pem_, der_, ticket_keys_;
  std::mutex mutex_;
  std::map<int, Owned<EVP_PKEY>> rsa_keys_;
  std::map<std::string, Identity> identities_;  ///< by what they were made for
};

}  // namespace cassette
