// See keys.h.
#include "preload/tls/keys.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "store/files.h"
#include "store/inherited_files.h"
#include "store/session/session_files.h"

namespace cassette {

namespace {

constexpr char kCurve[] = "P-256";
constexpr int kPrivateNumber = 32;
constexpr int kPublicNumber = 65;  ///< a point, uncompressed

Owned<EVP_PKEY> read_rsa_key(const std::string& file) {
  if (!exists_or_inherited(file)) return nullptr;
  auto bytes = read_file(file);
  if (!bytes) return nullptr;
  const auto* at = reinterpret_cast<const unsigned char*>(bytes->data());
  Owned<EVP_PKEY> key(d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(bytes->size())));
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return key;
}

}  // namespace

Owned<EVP_PKEY> make_ec_key() { return Owned<EVP_PKEY>(EVP_EC_gen(kCurve)); }

std::string numbers_of(EVP_PKEY* key) {
  unsigned char numbers[kPrivateNumber + kPublicNumber];
  BIGNUM* secret = nullptr;
  std::size_t size = 0;
  const bool good =
      EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret) == 1 &&
      BN_bn2binpad(secret, numbers, kPrivateNumber) == kPrivateNumber &&
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                      numbers + kPrivateNumber, kPublicNumber, &size) == 1 &&
      size == kPublicNumber;
  BN_clear_free(secret);
  std::string bytes(good ? std::string(reinterpret_cast<char*>(numbers), sizeof numbers)
                         : std::string());
  OPENSSL_cleanse(numbers, sizeof numbers);
  return bytes;
}

Owned<EVP_PKEY> key_of(std::string_view numbers) {
  if (numbers.size() != kPrivateNumber + kPublicNumber) return nullptr;
  const auto* bytes = reinterpret_cast<const unsigned char*>(numbers.data());
  BIGNUM* secret = BN_bin2bn(bytes, kPrivateNumber, nullptr);
  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  OSSL_PARAM* parameters = nullptr;
  if (secret != nullptr && builder != nullptr &&
      OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, kCurve, 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, bytes + kPrivateNumber,
                                       kPublicNumber) == 1 &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret) == 1) {
    parameters = OSSL_PARAM_BLD_to_param(builder);
  }
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* key = nullptr;
  if (parameters != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context) == 1)
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  BN_clear_free(secret);
  return Owned<EVP_PKEY>(key);
}

Owned<EVP_PKEY> shared_rsa_key(const std::string& file, int bits) {
  if (Owned<EVP_PKEY> theirs = read_rsa_key(file)) return theirs;
  Owned<EVP_PKEY> made(EVP_RSA_gen(static_cast<unsigned>(bits)));
  unsigned char* bytes = nullptr;
  const int size = made ? i2d_PrivateKey(made.get(), &bytes) : 0;
  if (size <= 0) return nullptr;
  std::string content(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
  // Where it cannot be shared, each process has its own: they are as good.
  const std::string temporary = file + "." + unique_suffix();
  bool first = true;
  if (write_new_file(temporary, content)) {
    first = link(temporary.c_str(), file.c_str()) == 0;
    unlink(temporary.c_str());
  }
  OPENSSL_cleanse(content.data(), content.size());
  Owned<EVP_PKEY> theirs = first ? nullptr : read_rsa_key(file);
  return theirs ? std::move(theirs) : std::move(made);
}

bool set_key(X509* certificate, EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return X509_set_pubkey(certificate, key) == 1;
  auto* point = static_cast<unsigned char*>(OPENSSL_malloc(kPublicNumber));
  std::size_t size = 0;
  if (point != nullptr &&
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, kPublicNumber,
                                      &size) == 1 &&
      size == kPublicNumber &&
      X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(certificate),
                             OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                             OBJ_nid2obj(NID_X9_62_prime256v1), point, kPublicNumber) == 1) {
    return true;
  }
  OPENSSL_free(point);
  return false;
}

}  // namespace cassette
