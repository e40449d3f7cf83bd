// See authority.h.
#include "preload/tls/authority.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "preload/tls/certificate.h"
#include "preload/tls/keys.h"
#include "preload/tls/status.h"
#include "store/files.h"
#include "store/inherited_files.h"
#include "store/session/session_files.h"

namespace cassette {

namespace {

constexpr std::string_view kMagic = "cassauth3\n";
constexpr std::size_t kTicketKeys = 80;

void append_part(std::string& bytes, std::string_view part) {
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
  Owned<EVP_PKEY> key = make_ec_key(), leaf_key = make_ec_key(), stranger_key = make_ec_key();
  Owned<X509> certificate = key ? make_authority_certificate(key.get()) : nullptr;
  unsigned char tickets[kTicketKeys];
  if (!certificate || !leaf_key || !stranger_key || RAND_bytes(tickets, sizeof tickets) != 1) {
    return Error{"no certificate authority can be made: " + openssl_problem()};
  }
  std::string bytes(kMagic);
  append_part(bytes, der_of(certificate.get()));
  for (const Owned<EVP_PKEY>* one : {&key, &leaf_key, &stranger_key})
    append_part(bytes, numbers_of(one->get()));
  bytes.append(reinterpret_cast<const char*>(tickets), sizeof tickets);
  return bytes;
}

/// Names what an identity was made for, whatever that is, in a few characters.
std::string name_of(const ServerFace& face, int rsa_bits) {
  std::string all{face.is_trusted   ? 't'
                  : face.has_status ? 's'
                                    : 'f',
                  face.has_own_number ? 't' : 'f'};
  append_part(all, std::to_string(rsa_bits));
  append_part(all, std::to_string(face.recorded_at));
  for (const std::string& one : face.chain.empty() ? face.names : face.chain) append_part(all, one);
  unsigned char sum[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), sum);
  std::string name;
  constexpr std::size_t kShort = 16;
  for (std::size_t i = 0; i < kShort; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    name += kDigits[sum[i] >> 4];
    name += kDigits[sum[i] & 15];
  }
  return name;
}

/// One certificate behind the other; empty: something else.
std::vector<Owned<X509>> chain_of(std::string_view bytes) {
  std::vector<Owned<X509>> chain;
  while (!bytes.empty()) {
    Owned<X509> certificate = take_certificate(bytes);
    if (!certificate) return {};
    chain.push_back(std::move(certificate));
  }
  return chain;
}

std::vector<Owned<X509>> read_chain(const std::string& file) {
  auto bytes = exists(file) ? read_file(file) : Result<std::string>(Error{});
  return bytes ? chain_of(*bytes) : std::vector<Owned<X509>>();
}

}  // namespace

Result<std::unique_ptr<Authority>> Authority::open(const std::string& file) {
  std::unique_ptr<Authority> authority(new Authority);
  authority->file_ = file;
  if (!exists_or_inherited(file)) {
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
  std::string_view certificate, key, leaf_key, stranger_key;
  if (!take_part(bytes, certificate) || !take_part(bytes, key) || !take_part(bytes, leaf_key) ||
      !take_part(bytes, stranger_key) || bytes.size() != kTicketKeys) {
    return damaged;
  }
  certificate_ = certificate_of(certificate);
  key_ = key_of(key);
  leaf_key_ = key_of(leaf_key);
  stranger_key_ = key_of(stranger_key);
  ticket_keys_ = bytes;
  der_ = certificate;
  if (!certificate_ || !key_ || !leaf_key_ || !stranger_key_) return damaged;
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

EVP_PKEY* Authority::leaf_key(int rsa_bits) {
  if (rsa_bits == 0) return leaf_key_.get();
  Owned<EVP_PKEY>& key = rsa_keys_[rsa_bits];
  if (!key) key = shared_rsa_key(file_ + "-rsa-" + std::to_string(rsa_bits), rsa_bits);
  return key.get();
}

const Authority::Identity& Authority::identity_of(const ServerFace& face, int rsa_bits) {
  std::lock_guard guard(mutex_);
  const std::string name = name_of(face, rsa_bits);
  Identity& known = identities_[name];
  if (!known.chain.empty()) return known;
  known.key = leaf_key(rsa_bits);
  known.is_trusted = face.is_trusted;
  if (known.key == nullptr) return known;
  known.chain = shared_chain(name, face, known.key);
  if (!known.chain.empty()) known.leaf = der_of(known.chain.front().get());
  return known;
}

Authority::Status Authority::status_of(const Identity& identity, const std::string& real) const {
  Status status;
  status.adds_signer = identity.is_trusted;
  X509* signer = identity.is_trusted         ? certificate_.get()
                 : identity.chain.size() > 1 ? identity.chain[1].get()
                                             : nullptr;
  if (signer == nullptr) return status;  // its own: it says nothing of itself
  EVP_PKEY* key = identity.is_trusted ? key_.get() : stranger_key_.get();
  X509* leaf = identity.chain.front().get();
  status.response =
      real.empty() ? good_status(leaf, signer, key) : mirror_status(real, leaf, signer, key);
  status.signer = der_of(signer);
  return status;
}

/// As the first process that needed it made it.
std::vector<Owned<X509>> Authority::shared_chain(const std::string& name, const ServerFace& face,
                                                 EVP_PKEY* key) const {
  const std::string file = file_ + "-leaf-" + name;
  if (auto theirs = read_chain(file); !theirs.empty()) return theirs;
  std::string made;
  for (const Owned<X509>& one : make_chain(face, key)) made += der_of(one.get());
  // Where it cannot be shared, each process has its own: they are as good.
  const std::string temporary = file + "." + unique_suffix();
  if (!made.empty() && write_new_file(temporary, made)) {
    const bool first = link(temporary.c_str(), file.c_str()) == 0;
    unlink(temporary.c_str());
    if (!first) {
      if (auto theirs = read_chain(file); !theirs.empty()) return theirs;
    }
  }
  // What was made has no key that could be used (keys.h): what is read has.
  return chain_of(made);
}

std::vector<Owned<X509>> Authority::make_chain(const ServerFace& face, EVP_PKEY* key) const {
  std::vector<Owned<X509>> chain;
  if (!face.chain.empty()) {
    chain = mirror_chain(face.chain, face.is_trusted, face.recorded_at,
                         {.leaf = key,
                          .authority = certificate_.get(),
                          .authority_key = key_.get(),
                          .stranger = stranger_key_.get()},
                         face.has_own_number);
    // Who says something of a certificate has to be seen.
    if (!face.is_trusted && face.has_status && chain.size() == 1 && !is_self_issued(chain[0].get()))
      chain.push_back(make_stranger(X509_get_issuer_name(chain[0].get()), stranger_key_.get()));
    return chain;
  }
  chain.push_back(make_leaf(face.names, key, certificate_.get(), key_.get()));
  if (!chain.front()) chain.clear();
  return chain;
}

}  // namespace cassette
