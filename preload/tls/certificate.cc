// See certificate.h.
#include "preload/tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "preload/tls/keys.h"

namespace cassette {

namespace {

bool set_common(X509* certificate, EVP_PKEY* key) {
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_random_number(certificate) &&
         set_always_valid(certificate) && set_key(certificate, key);
}

bool set_name(X509* certificate, const std::string& name) {
  // A common name has at most 64 characters; who is meant is in the subject alternative name.
  std::size_t size = std::min<std::size_t>(name.size(), 64);
  while (size > 0 && size < name.size() && (name[size] & 0xc0) == 0x80)
    --size;  // not within a character
  const std::string common = name.substr(0, size);
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common.data()),
                                    static_cast<int>(common.size()), -1, 0) == 1;
}

/// Not from text, in which a name could say more than one.
bool push_name(GENERAL_NAMES* names, const std::string& name) {
  unsigned char address[16];
  const int size = inet_pton(AF_INET, name.c_str(), address) == 1    ? 4
                   : inet_pton(AF_INET6, name.c_str(), address) == 1 ? 16
                                                                     : 0;
  GENERAL_NAME* one = GENERAL_NAME_new();
  ASN1_STRING* text = ASN1_STRING_type_new(size != 0 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (one == nullptr || text == nullptr || sk_GENERAL_NAME_push(names, one) <= 0) {
    GENERAL_NAME_free(one);
    ASN1_STRING_free(text);
    return false;
  }
  GENERAL_NAME_set0_value(one, size != 0 ? GEN_IPADD : GEN_DNS, text);
  return ASN1_STRING_set(text, size != 0 ? static_cast<const void*>(address) : name.data(),
                         size != 0 ? size : static_cast<int>(name.size())) == 1;
}

bool add_alternative_names(X509* certificate, const ServerNames& names) {
  GENERAL_NAMES* all = GENERAL_NAMES_new();
  bool good = all != nullptr;
  for (const std::string& name : names) good = good && push_name(all, name);
  good =
      good && X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
  GENERAL_NAMES_free(all);
  return good;
}

}  // namespace

bool set_first_day(ASN1_TIME* time) {
  return ASN1_TIME_set_string_X509(time, "19700102000000Z") == 1;
}

bool set_random_number(X509* certificate) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;  // positive, RFC 5280 section 4.1.2.2
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  const bool good = number != nullptr &&
                    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return good;
}

bool set_never_ending(X509* certificate) {
  return ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "99991231235959Z") == 1;
}

bool set_always_valid(X509* certificate) {
  return set_first_day(X509_getm_notBefore(certificate)) && set_never_ending(certificate);
}

bool add_extension(X509* certificate, X509* issuer, int kind, const char* value, int at) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  bool good = extension != nullptr && X509_add_ext(certificate, extension, at) == 1;
  X509_EXTENSION_free(extension);
  return good;
}

Owned<X509> make_stranger(const X509_NAME* name, EVP_PKEY* key) {
  Owned<X509> certificate(X509_new());
  X509* it = certificate.get();
  bool good = it != nullptr && set_common(it, key) && X509_set_subject_name(it, name) == 1 &&
              X509_set_issuer_name(it, name) == 1 &&
              add_extension(it, it, NID_basic_constraints, "critical,CA:TRUE") &&
              add_extension(it, it, NID_key_usage, "critical,keyCertSign,cRLSign") &&
              add_extension(it, it, NID_subject_key_identifier, "hash") &&
              X509_sign(it, key, EVP_sha256()) != 0;
  return good ? std::move(certificate) : nullptr;
}

Owned<X509> make_authority_certificate(EVP_PKEY* key) {
  static constexpr char kName[] = "libcassette session authority";
  X509_NAME* name = X509_NAME_new();
  Owned<X509> certificate;
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(kName), -1, -1, 0) == 1)
    certificate = make_stranger(name, key);
  X509_NAME_free(name);
  return certificate;
}

Owned<X509> make_leaf(const ServerNames& names, EVP_PKEY* key, X509* authority,
                      EVP_PKEY* authority_key) {
  Owned<X509> certificate(X509_new());
  X509* it = certificate.get();
  // An RSA key may also encrypt, for programs that know no other key exchange.
  const bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  const char* usage =
      rsa ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature";
  // What all clients accept: Python 3.13 insists on the authority's key identifier.
  bool good = it != nullptr && set_common(it, key) && set_name(it, names.front()) &&
              X509_set_issuer_name(it, X509_get_subject_name(authority)) == 1 &&
              add_extension(it, authority, NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(it, authority, NID_key_usage, usage) &&
              add_extension(it, authority, NID_ext_key_usage, "serverAuth") &&
              add_extension(it, authority, NID_subject_key_identifier, "hash") &&
              add_extension(it, authority, NID_authority_key_identifier, "keyid:always") &&
              add_alternative_names(it, names) && X509_sign(it, authority_key, EVP_sha256()) != 0;
  return good ? std::move(certificate) : nullptr;
}

}  // namespace cassette
