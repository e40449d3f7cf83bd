// See java_store.h.
#include "preload/tls/java_store.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/rc2.h>
#include <openssl/sha.h>

#include <cstdint>
#include <memory>
#include <tuple>

#include "preload/tls/authority.h"

namespace cassette {

namespace {

constexpr std::uint32_t kMagic = 0xfeedfeed;
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kPrivateKey = 1;
constexpr std::uint32_t kCertificate = 2;
constexpr std::size_t kHeader = 12;
constexpr std::string_view kType = "X.509";

/// Takes big-endian numbers and counted bytes off the front; once something is missing, everything is.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool good() const { return good_; }
  std::string_view rest() const { return rest_; }

  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (unsigned char byte : bytes(size)) value = value << 8 | byte;
    return value;
  }
  std::string_view text() { return bytes(number(2)); }
  std::string_view block() { return bytes(number(4)); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

void append_number(std::string& out, std::uint32_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) out += static_cast<char>(value >> (8 * i));
}

void append_certificate(std::string& out, std::string_view alias, std::string_view der) {
  append_number(out, kCertificate, 4);
  append_number(out, static_cast<std::uint32_t>(alias.size()), 2);
  out += alias;
  out.append(8, '\0');  // its date, in milliseconds: nobody asks
  append_number(out, kType.size(), 2);
  out += kType;
  append_number(out, static_cast<std::uint32_t>(der.size()), 4);
  out += der;
}

/// The entries as they stand, with their number; false when they are none.
bool read_jks(std::string_view bytes, std::string_view* entries, std::uint32_t* count,
              std::vector<std::string>* certificates) {
  if (bytes.size() < kHeader + SHA_DIGEST_LENGTH) return false;
  Reader reader(bytes.substr(0, bytes.size() - SHA_DIGEST_LENGTH));
  if (reader.number(4) != kMagic || reader.number(4) != kVersion) return false;
  *count = reader.number(4);
  *entries = reader.rest();
  for (std::uint32_t i = 0; i < *count && reader.good(); ++i) {
    const std::uint32_t tag = reader.number(4);
    reader.text();
    reader.bytes(8);
    if (tag == kPrivateKey) {
      reader.block();
      for (std::uint32_t links = reader.number(4); links > 0 && reader.good(); --links) {
        reader.text();
        reader.block();
      }
    } else if (tag == kCertificate) {
      reader.text();
      certificates->emplace_back(reader.block());
    } else {
      return false;
    }
  }
  return reader.good() && reader.rest().empty();
}

struct FreePkcs12 {
  void operator()(PKCS12* p) const { PKCS12_free(p); }
  void operator()(STACK_OF(PKCS7) * p) const { sk_PKCS7_pop_free(p, PKCS7_free); }
  void operator()(STACK_OF(PKCS12_SAFEBAG) * p) const {
    sk_PKCS12_SAFEBAG_pop_free(p, PKCS12_SAFEBAG_free);
  }
};

/// Java trusts a certificate of a PKCS #12 file when it has this attribute (Oracle's trustedKeyUsage); others
/// belong to private keys.
constexpr char kTrusted[] = "2.16.840.1.113894.746875.1.1";

bool is_trusted(const PKCS12_SAFEBAG* bag) {
  const STACK_OF(X509_ATTRIBUTE)* attributes = PKCS12_SAFEBAG_get0_attrs(bag);
  for (int i = 0; attributes != nullptr && i < sk_X509_ATTRIBUTE_num(attributes); ++i) {
    char name[64];
    OBJ_obj2txt(name, sizeof name,
                X509_ATTRIBUTE_get0_object(sk_X509_ATTRIBUTE_value(attributes, i)), 1);
    if (std::string_view(name) == kTrusted) return true;
  }
  return false;
}

using Bags = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), FreePkcs12>;

/// Java's own limit (sun.security.pkcs12): a file is not to hold the program up.
constexpr long kMostRounds = 5'000'000;

/// How often the password is hashed; too often when it cannot be told.
long rounds_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  const void* parameters = nullptr;
  int type = 0;
  X509_ALGOR_get0(&object, &type, &parameters, algorithm);
  const auto* sequence = static_cast<const ASN1_STRING*>(parameters);
  if (type != V_ASN1_SEQUENCE || sequence == nullptr) return kMostRounds + 1;
  ASN1_INTEGER* count = nullptr;
  PBEPARAM* old = nullptr;
  PBE2PARAM* pbe2 = nullptr;
  PBKDF2PARAM* pbkdf2 = nullptr;
  if (OBJ_obj2nid(object) != NID_pbes2) {
    old = static_cast<PBEPARAM*>(ASN1_item_unpack(sequence, ASN1_ITEM_rptr(PBEPARAM)));
    if (old != nullptr) count = old->iter;
  } else {
    pbe2 = static_cast<PBE2PARAM*>(ASN1_item_unpack(sequence, ASN1_ITEM_rptr(PBE2PARAM)));
    if (pbe2 != nullptr && pbe2->keyfunc->parameter != nullptr &&
        pbe2->keyfunc->parameter->type == V_ASN1_SEQUENCE) {
      pbkdf2 = static_cast<PBKDF2PARAM*>(
          ASN1_item_unpack(pbe2->keyfunc->parameter->value.sequence, ASN1_ITEM_rptr(PBKDF2PARAM)));
      if (pbkdf2 != nullptr) count = pbkdf2->iter;
    }
  }
  std::int64_t rounds = kMostRounds + 1;
  if (count == nullptr || ASN1_INTEGER_get_int64(&rounds, count) != 1 || rounds < 0)
    rounds = kMostRounds + 1;
  PBEPARAM_free(old);
  PBE2PARAM_free(pbe2);
  PBKDF2PARAM_free(pbkdf2);
  return static_cast<long>(rounds);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
/// Certificates in RC2 with 40 bits, as keytool wrote them up to Java 15. OpenSSL 3 has the cipher in a
/// provider that is a file of its own, which may not be there.
Bags unpack_rc2(const PKCS7_ENC_CONTENT* content, const std::string& password) {
  PBEPARAM* parameters = static_cast<PBEPARAM*>(
      ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), content->algorithm->parameter));
  if (parameters == nullptr || content->enc_data == nullptr) return nullptr;
  constexpr int kKeySize = 5, kBlock = 8;
  unsigned char bytes[kKeySize], vector[kBlock];
  const int rounds = static_cast<int>(ASN1_INTEGER_get(parameters->iter));
  bool good = true;
  for (auto [id, size, into] :
       {std::tuple{PKCS12_KEY_ID, kKeySize, bytes}, std::tuple{PKCS12_IV_ID, kBlock, vector}}) {
    good = good && PKCS12_key_gen_utf8(password.c_str(), static_cast<int>(password.size()),
                                       parameters->salt->data, parameters->salt->length, id, rounds,
                                       size, into, EVP_sha1()) == 1;
  }
  PBEPARAM_free(parameters);
  const auto size = static_cast<std::size_t>(content->enc_data->length);
  if (!good || size == 0 || size % kBlock != 0) return nullptr;
  RC2_KEY key;
  RC2_set_key(&key, kKeySize, bytes, 8 * kKeySize);
  std::string plain(size, '\0');
  auto* at = reinterpret_cast<unsigned char*>(plain.data());
  RC2_cbc_encrypt(content->enc_data->data, at, static_cast<long>(size), &key, vector, RC2_DECRYPT);
  const std::size_t padding = static_cast<unsigned char>(plain.back());
  if (padding == 0 || padding > kBlock) return nullptr;
  const unsigned char* from = at;
  return Bags(reinterpret_cast<STACK_OF(PKCS12_SAFEBAG)*>(ASN1_item_d2i(
      nullptr, &from, static_cast<long>(size - padding), ASN1_ITEM_rptr(PKCS12_SAFEBAGS))));
}
#pragma GCC diagnostic pop

Bags unpack(PKCS7* safe, const std::string& password) {
  if (PKCS7_type_is_data(safe)) return Bags(PKCS12_unpack_p7data(safe));
  if (!PKCS7_type_is_encrypted(safe)) return nullptr;
  const PKCS7_ENC_CONTENT* content = safe->d.encrypted->enc_data;
  if (rounds_of(content->algorithm) > kMostRounds) return nullptr;
  if (OBJ_obj2nid(content->algorithm->algorithm) == NID_pbe_WithSHA1And40BitRC2_CBC)
    return unpack_rc2(content, password);
  return Bags(PKCS12_unpack_p7encdata(safe, password.data(), static_cast<int>(password.size())));
}

/// The trusted certificates of a PKCS #12 file (RFC 7292). Not by PKCS12_parse(3), which insists on the check of
/// integrity that newer stores of Java's do not have. False for a file with private keys: it is the program's
/// key store as well, and would lose them.
bool read_pkcs12(std::string_view bytes, const std::string& password,
                 std::vector<std::string>* certificates) {
  auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  std::unique_ptr<PKCS12, FreePkcs12> file(
      d2i_PKCS12(nullptr, &at, static_cast<long>(bytes.size())));
  std::unique_ptr<STACK_OF(PKCS7), FreePkcs12> safes(file ? PKCS12_unpack_authsafes(file.get())
                                                          : nullptr);
  bool has_keys = false;
  for (int i = 0; safes && i < sk_PKCS7_num(safes.get()); ++i) {
    const Bags bags = unpack(sk_PKCS7_value(safes.get(), i), password);
    for (int j = 0; bags && j < sk_PKCS12_SAFEBAG_num(bags.get()); ++j) {
      const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags.get(), j);
      const int kind = PKCS12_SAFEBAG_get_nid(bag);
      has_keys = has_keys || kind == NID_keyBag || kind == NID_pkcs8ShroudedKeyBag;
      if (kind != NID_certBag || PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate ||
          !is_trusted(bag)) {
        continue;
      }
      Owned<X509> certificate(PKCS12_SAFEBAG_get1_cert(bag));
      unsigned char* der = nullptr;
      const int size = certificate ? i2d_X509(certificate.get(), &der) : 0;
      if (size > 0)
        certificates->emplace_back(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
      OPENSSL_free(der);
    }
  }
  ERR_clear_error();
  return !certificates->empty() && !has_keys;
}

std::string digest(const std::string& password, std::string_view bytes) {
  std::string all;
  for (char character : password) {
    all += '\0';  // UTF-16 of what keytool lets a password be: ASCII
    all += character;
  }
  all += "Mighty Aphrodite";
  all += bytes;
  unsigned char sum[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(all.data()), all.size(), sum);
  return {reinterpret_cast<char*>(sum), sizeof sum};
}

}  // namespace

std::string merge_java_store(std::string_view bytes, const std::string& password,
                             const std::string& authority, std::vector<std::string>* certificates) {
  std::uint32_t count = 0;
  std::string_view entries;
  std::string converted;
  if (!read_jks(bytes, &entries, &count, certificates)) {
    certificates->clear();
    if (!read_pkcs12(bytes, password, certificates)) return {};
    for (const std::string& der : *certificates)
      append_certificate(converted, "certificate-" + std::to_string(count++), der);
    entries = converted;
  }
  std::string merged;
  append_number(merged, kMagic, 4);
  append_number(merged, kVersion, 4);
  append_number(merged, count + 1, 4);
  merged += entries;
  append_certificate(merged, "libcassette-session-authority", authority);
  merged += digest(password, merged);
  return merged;
}

}  // namespace cassette
