// See authority.h.
#include "preload/tls/authority.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
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

constexpr std::string_view kMagic = "cassauth1\n";
constexpr std::size_t kTicketKeys = 80;
constexpr long kDay = 24 * 60 * 60;
/// Clocks of containers differ.
constexpr long kSlack = 60 * 60;

bool set_common(X509* certificate, EVP_PKEY* key) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;  // positive, RFC 5280 section 4.1.2.2
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  bool good = number != nullptr && X509_set_version(certificate, 2) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -kSlack) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), kDay) != nullptr &&
              X509_set_pubkey(certificate, key) == 1;
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

Result<std::string> make_bytes() {
  Owned<EVP_PKEY> key(EVP_EC_gen("P-256")), leaf_key(EVP_EC_gen("P-256"));
  Owned<X509> certificate = key ? make_authority(key.get()) : nullptr;
  unsigned char tickets[kTicketKeys];
  if (!certificate || !leaf_key || RAND_bytes(tickets, sizeof tickets) != 1) {
    return Error{"no certificate authority can be made: " + openssl_problem()};
  }
  std::string bytes(kMagic);
  append_part(bytes, der_of<X509>(certificate.get(), i2d_X509));
  append_part(bytes, der_of<EVP_PKEY>(key.get(), i2d_PrivateKey));
  append_part(bytes, der_of<EVP_PKEY>(leaf_key.get(), i2d_PrivateKey));
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
  auto read_key = [](std::string_view der) {
    auto* at = reinterpret_cast<const unsigned char*>(der.data());
    return Owned<EVP_PKEY>(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())));
  };
  auto* at = reinterpret_cast<const unsigned char*>(certificate.data());
  certificate_.reset(d2i_X509(nullptr, &at, static_cast<long>(certificate.size())));
  key_ = read_key(key);
  leaf_key_ = read_key(leaf_key);
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
    if (!bytes) return nullptr;
    auto* at = reinterpret_cast<const unsigned char*>(bytes->data());
    return Owned<X509>(d2i_X509(nullptr, &at, static_cast<long>(bytes->size())));
  };
  if (Owned<X509> theirs = read()) return theirs;
  Owned<X509> made = make_leaf(names);
  if (!made) return nullptr;
  // Where it cannot be shared, each process has its own: they are as good.
  const std::string temporary = file + "." + unique_suffix();
  if (!write_new_file(temporary, der_of<X509>(made.get(), i2d_X509))) return made;
  const bool first = link(temporary.c_str(), file.c_str()) == 0;
  unlink(temporary.c_str());
  if (first) return made;
  Owned<X509> theirs = read();
  return theirs ? std::move(theirs) : std::move(made);
}

Owned<X509> Authority::make_leaf(const ServerNames& names) const {
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
  return good ? std::move(certificate) : nullptr;
}

}  // namespace cassette
