// See authority.h.
#include "preload/tls/authority.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "store/files.h"
#include "store/session/session_files.h"

namespace cassette {

namespace {

constexpr std::string_view kMagic = "cassauth2\n";
constexpr std::size_t kTicketKeys = 80;
constexpr char kCurve[] = "P-256";
constexpr int kPrivateNumber = 32;
constexpr int kPublicNumber = 65;  ///< a point, uncompressed
constexpr long kDay = 24 * 60 * 60;
/// Clocks of containers differ.
constexpr long kSlack = 60 * 60;

/// Not by X509_set_pubkey(3), which writes the key and reads it again by the slow way (see numbers_of()).
/// The certificate is good for being written, not for X509_get0_pubkey(3).
bool set_key(X509* certificate, EVP_PKEY* key) {
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

bool set_common(X509* certificate, EVP_PKEY* key) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;  // positive, RFC 5280 section 4.1.2.2
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  bool good = number != nullptr && X509_set_version(certificate, 2) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -kSlack) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), kDay) != nullptr &&
              set_key(certificate, key);
  BN_free(number);
  return good;
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

bool add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  bool good = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return good;
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

Owned<X509> make_authority(EVP_PKEY* key) {
  Owned<X509> certificate(X509_new());
  X509* it = certificate.get();
  bool good = it != nullptr && set_common(it, key) &&
              set_name(it, "libcassette session authority") &&
              X509_set_issuer_name(it, X509_get_subject_name(it)) == 1 &&
              add_extension(it, it, NID_basic_constraints, "critical,CA:TRUE") &&
              add_extension(it, it, NID_key_usage, "critical,keyCertSign,cRLSign") &&
              add_extension(it, it, NID_subject_key_identifier, "hash") &&
              X509_sign(it, key, EVP_sha256()) != 0;
  return good ? std::move(certificate) : nullptr;
}

template <typename T>
std::string der_of(T* object, int (*encode)(const T*, unsigned char**)) {
  unsigned char* bytes = nullptr;
  int size = encode(object, &bytes);
  if (size <= 0) return {};
  std::string result(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return result;
}

Owned<X509> certificate_of(std::string_view der) {
  auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return Owned<X509>(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

void append_part(std::string& bytes, const std::string& part) {
  auto size = static_cast<std::uint32_t>(part.size());
  bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
  bytes.append(part);
}

bool take_part(std::string_view& rest, std::string_view& part) {
  std::uint32_t size = 0;
  if (rest.size() < sizeof size) return false;
  std::memcpy(&size, rest.data(), sizeof size);
  rest.remove_prefix(sizeof size);
  if (rest.size() < size) return false;
  part = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

/// A key by its numbers: what OpenSSL has for reading keys of unknown kinds takes longer than all else
/// that is done for an authority. Empty: something failed.
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

Result<std::string> make_bytes() {
  Owned<EVP_PKEY> key(EVP_EC_gen(kCurve)), leaf_key(EVP_EC_gen(kCurve));
  Owned<X509> certificate = key ? make_authority(key.get()) : nullptr;
  unsigned char tickets[kTicketKeys];
  if (!certificate || !leaf_key || RAND_bytes(tickets, sizeof tickets) != 1) {
    return Error{"no certificate authority can be made: " + openssl_problem()};
  }
  std::string bytes(kMagic);
  append_part(bytes, der_of<X509>(certificate.get(), i2d_X509));
  append_part(bytes, numbers_of(key.get()));
  append_part(bytes, numbers_of(leaf_key.get()));
  bytes.append(reinterpret_cast<const char*>(tickets), sizeof tickets);
  return bytes;
}

}  // namespace

std::string openssl_problem() {
  std::string text;
  while (unsigned long code = ERR_get_error()) {
    char reason[256];
    ERR_error_string_n(code, reason, sizeof reason);
    // "error:0A000086:SSL routines::certificate verify failed": the last part is for people.
    const char* last = std::strrchr(reason, ':');
    text = last != nullptr ? last + 1 : reason;
  }
  return text.empty() ? "no reason given" : text;
}

Result<std::unique_ptr<Authority>> Authority::open(const std::string& file) {
  std::unique_ptr<Authority> authority(new Authority);
  authority->file_ = file;
  if (!exists(file)) {
    auto bytes = make_bytes();
    if (!bytes) return bytes.error();
    const std::string made = file + "." + unique_suffix();
    auto written = write_new_file(made, *bytes);
    OPENSSL_cleanse(bytes->data(), bytes->size());
    if (!written) return written.error();
    int problem = link(made.c_str(), file.c_str()) == 0 ? 0 : errno;
    unlink(made.c_str());
    if (problem != 0 && problem != EEXIST) return file_error("make", file, problem);
  }
  auto bytes = read_file(file);
  if (!bytes) return bytes.error();
  auto adopted = authority->adopt(*bytes);
  OPENSSL_cleanse(bytes->data(), bytes->size());
  if (!adopted) return Error{file + ": " + adopted.error().message};
  return authority;
}

Result<void> Authority::adopt(std::string_view bytes) {
  const Error damaged{"the session's authority is damaged"};
  if (!bytes.starts_with(kMagic)) return damaged;
  bytes.remove_prefix(kMagic.size());
  std::string_view certificate, key, leaf_key;
  if (!take_part(bytes, certificate) || !take_part(bytes, key) || !take_part(bytes, leaf_key) ||
      bytes.size() != kTicketKeys) {
    return damaged;
  }
  certificate_ = certificate_of(certificate);
  key_ = key_of(key);
  leaf_key_ = key_of(leaf_key);
  ticket_keys_ = bytes;
  der_ = certificate;
  if (!certificate_ || !key_ || !leaf_key_) return damaged;
  BIO* memory = BIO_new(BIO_s_mem());
  if (memory == nullptr || PEM_write_bio_X509(memory, certificate_.get()) != 1) {
    BIO_free(memory);
    return Error{"no memory"};
  }
  char* text = nullptr;
  long size = BIO_get_mem_data(memory, &text);
  pem_.assign(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  return {};
}

X509* Authority::leaf(const ServerNames& names, const std::string& tag) {
  std::lock_guard guard(mutex_);
  Owned<X509>& known = leaves_[{names, tag}];
  if (!known) known = shared_leaf(names, tag);
  return known.get();
}

/// As the first process that needed it made it.
Owned<X509> Authority::shared_leaf(const ServerNames& names, const std::string& tag) const {
  std::string key = tag;
  for (const std::string& name : names) key += '\0' + name;
  unsigned char sum[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), sum);
  std::string file = file_ + "-leaf-";
  constexpr std::size_t kShort = 16;
  for (std::size_t i = 0; i < kShort; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    file += kDigits[sum[i] >> 4];
    file += kDigits[sum[i] & 15];
  }
  auto read = [&]() -> Owned<X509> {
    auto bytes = exists(file) ? read_file(file) : Result<std::string>(Error{});
    return bytes ? certificate_of(*bytes) : nullptr;
  };
  if (Owned<X509> theirs = read()) return theirs;
  const std::string made = make_leaf(names);
  // Where it cannot be shared, each process has its own: they are as good.
  const std::string temporary = file + "." + unique_suffix();
  if (!made.empty() && write_new_file(temporary, made)) {
    const bool first = link(temporary.c_str(), file.c_str()) == 0;
    unlink(temporary.c_str());
    Owned<X509> theirs = first ? nullptr : read();
    if (theirs) return theirs;
  }
  return certificate_of(made);
}

std::string Authority::make_leaf(const ServerNames& names) const {
  Owned<X509> certificate(X509_new());
  X509* it = certificate.get();
  // What all clients accept: Python 3.13 insists on the authority's key identifier.
  bool good = it != nullptr && set_common(it, leaf_key_.get()) && set_name(it, names.front()) &&
              X509_set_issuer_name(it, X509_get_subject_name(certificate_.get())) == 1 &&
              add_extension(it, certificate_.get(), NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(it, certificate_.get(), NID_key_usage, "critical,digitalSignature") &&
              add_extension(it, certificate_.get(), NID_ext_key_usage, "serverAuth") &&
              add_extension(it, certificate_.get(), NID_subject_key_identifier, "hash") &&
              add_extension(it, certificate_.get(), NID_authority_key_identifier, "keyid:always") &&
              add_alternative_names(it, names) && X509_sign(it, key_.get(), EVP_sha256()) != 0;
  return good ? der_of<X509>(it, i2d_X509) : std::string();
}

}  // namespace cassette
