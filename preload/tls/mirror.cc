// See mirror.h. RFC 5280 section 4 is what a certificate holds.
#include "preload/tls/mirror.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <mutex>

#include "preload/tls/certificate.h"
#include "preload/tls/keys.h"

namespace cassette {

namespace {

/// Longer chains are nobody's.
constexpr std::size_t kLongest = 16;

/// From the server's own to the last one that it sent of those who signed each other.
std::vector<Owned<X509>> path_of(const std::vector<std::string>& chain) {
  std::vector<Owned<X509>> rest;
  for (const std::string& der : chain) {
    Owned<X509> certificate = certificate_of(der);
    if (!certificate && rest.empty()) break;  // what follows is somebody else's
    if (certificate && rest.size() < kLongest) rest.push_back(std::move(certificate));
  }
  std::vector<Owned<X509>> path;
  if (rest.empty()) return path;
  path.push_back(std::move(rest.front()));
  rest.erase(rest.begin());
  while (!is_self_issued(path.back().get())) {
    auto issuer = std::find_if(rest.begin(), rest.end(), [&](const Owned<X509>& one) {
      return X509_check_issued(one.get(), path.back().get()) == X509_V_OK;
    });
    if (issuer == rest.end()) break;
    path.push_back(std::move(*issuer));
    rest.erase(issuer);
  }
  return path;
}

/// What was so at `recorded_at` is so now: the valid stays valid, the expired expired; what was to become valid is as far
/// from it as it was. The clock may be behind the recording (a test that stops it).
bool set_dates(X509* made, const X509* real, std::int64_t recorded_at) {
  if (X509_set1_notBefore(made, X509_get0_notBefore(real)) != 1 ||
      X509_set1_notAfter(made, X509_get0_notAfter(real)) != 1) {
    return false;
  }
  if (recorded_at == 0) return true;
  const std::time_t then = recorded_at;
  int days = 0;
  int seconds = 0;
  if (X509_cmp_time(X509_get0_notBefore(real), const_cast<std::time_t*>(&then)) > 0) {
    ASN1_TIME* at = ASN1_TIME_set(nullptr, then);
    const bool known =
        at != nullptr && ASN1_TIME_diff(&days, &seconds, at, X509_get0_notBefore(real)) == 1;
    ASN1_TIME_free(at);
    return known &&
           X509_time_adj_ex(X509_getm_notBefore(made), days, seconds, nullptr) != nullptr &&
           set_never_ending(made);
  }
  if (X509_cmp_current_time(X509_get0_notBefore(real)) > 0 &&
      !set_first_day(X509_getm_notBefore(made)))
    return false;
  const bool expired = X509_cmp_time(X509_get0_notAfter(real), const_cast<std::time_t*>(&then)) < 0;
  if (!expired) return set_never_ending(made);
  return X509_cmp_current_time(X509_get0_notAfter(real)) < 0 ||
         set_first_day(X509_getm_notAfter(made));
}

/// A key that signs in the handshake has to be allowed to, where the real one may have done something else: been
/// encrypted for (RFC 5280 section 4.2.1.3).
bool add_key_usage(X509* made, const X509* real) {
  int critical = 0;
  auto* usage =
      static_cast<ASN1_BIT_STRING*>(X509_get_ext_d2i(real, NID_key_usage, &critical, nullptr));
  if (usage == nullptr) return true;
  constexpr int kSigns = 0;
  constexpr int kEncrypts = 2;
  const bool good =
      (ASN1_BIT_STRING_get_bit(usage, kEncrypts) == 0 ||
       ASN1_BIT_STRING_set_bit(usage, kSigns, 1) == 1) &&
      X509_add1_ext_i2d(made, NID_key_usage, usage, critical, X509V3_ADD_DEFAULT) == 1;
  ASN1_BIT_STRING_free(usage);
  return good;
}

/// The extension of `real` that names its issuer's key, in the same place. An issuer that has no identifier cannot be named
/// by it: then nobody is named.
bool add_issuer_key(X509* made, X509_EXTENSION* real, X509* issuer, int at) {
  constexpr int kKind = NID_authority_key_identifier;
  if (issuer == nullptr) return X509_add_ext(made, real, at) == 1;
  if (X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) < 0) return true;
  return add_extension(made, issuer, kKind, "keyid:always", at);
}

/// Extensions as they are; those that name keys are about ours.
bool add_extensions(X509* made, const X509* real, X509* issuer, bool is_leaf) {
  int names_issuer = -1;
  for (int i = 0; i < X509_get_ext_count(real); ++i) {
    X509_EXTENSION* extension = X509_get_ext(real, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    bool good = true;
    if (kind == NID_subject_key_identifier) {
      good = add_extension(made, issuer, kind, "hash");
    } else if (kind == NID_authority_key_identifier) {
      names_issuer = i;
    } else if (kind == NID_key_usage && is_leaf) {
      good = add_key_usage(made, real);
    } else {
      good = X509_add_ext(made, extension, -1) == 1;
    }
    if (!good) return false;
  }
  // The last, because one who signs himself has to have an identifier.
  return names_issuer < 0 ||
         add_issuer_key(made, X509_get_ext(real, names_issuer), issuer, names_issuer);
}

/// SHA-1 where the real one's is as weak: the program may refuse that. Of the weaker ones (MD5) our keys have none.
const EVP_MD* digest_of(const X509* real) {
  int digest = NID_undef;
  X509_get_signature_info(const_cast<X509*>(real), &digest, nullptr, nullptr, nullptr);
  const bool is_weak = digest == NID_sha1 || digest == NID_md5 || digest == NID_md5_sha1 ||
                       digest == NID_md4 || digest == NID_md2;
  return is_weak ? EVP_sha1() : EVP_sha256();
}

int bits_anew(const std::string& certificate) {
  constexpr int kStrong = 2048;
  constexpr int kLeast = 512;  // OpenSSL makes no smaller one
  Owned<X509> real = certificate_of(certificate);
  EVP_PKEY* key = real ? X509_get0_pubkey(real.get()) : nullptr;
  int bits = 0;
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    bits = std::max(EVP_PKEY_get_bits(key), kLeast);
    if (bits >= kStrong) bits = 0;
  }
  ERR_clear_error();
  return bits;
}

}  // namespace

bool is_self_issued(X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

std::vector<Owned<X509>> mirror_chain(const std::vector<std::string>& chain, bool trusted,
                                      std::int64_t recorded_at, const MirrorKeys& keys,
                                      bool own_number) {
  std::vector<Owned<X509>> path = path_of(chain);
  std::vector<Owned<X509>> made(path.size());
  for (std::size_t i = path.size(); i-- > 0;) {
    X509* real = path[i].get();
    made[i].reset(X509_new());
    X509* it = made[i].get();
    EVP_PKEY* key = i == 0 ? keys.leaf : keys.stranger;
    const bool is_top = i + 1 == path.size();
    const bool own = is_top && !trusted && is_self_issued(real);
    // Behind the last one that the server sent there is somebody whom nobody has.
    X509* issuer = own ? it : !is_top ? made[i + 1].get() : trusted ? keys.authority : nullptr;
    EVP_PKEY* issuer_key = own ? key : is_top && trusted ? keys.authority_key : keys.stranger;
    const bool good =
        it != nullptr && X509_set_version(it, X509_get_version(real)) == 1 &&
        (own_number ? set_random_number(it)
                    : X509_set_serialNumber(it, X509_get_serialNumber(real)) == 1) &&
        X509_set_subject_name(it, X509_get_subject_name(real)) == 1 &&
        X509_set_issuer_name(it, is_top && trusted ? X509_get_subject_name(keys.authority)
                                                   : X509_get_issuer_name(real)) == 1 &&
        set_dates(it, real, recorded_at) && set_key(it, key) &&
        add_extensions(it, real, issuer, i == 0) && X509_sign(it, issuer_key, digest_of(real)) != 0;
    if (!good) return {};
  }
  ERR_clear_error();  // of what could not be read, and is left out
  return made;
}

int weak_rsa_bits(const std::string& certificate) {
  // To understand a key takes long, and the same server is met again.
  constexpr std::size_t kMost = 1000;
  static std::mutex mutex;
  static auto* known = new std::map<std::string, int>;
  std::lock_guard guard(mutex);
  if (known->size() >= kMost) known->clear();
  auto [found, is_new] = known->try_emplace(certificate);
  if (is_new) found->second = bits_anew(certificate);
  return found->second;
}

}  // namespace cassette
