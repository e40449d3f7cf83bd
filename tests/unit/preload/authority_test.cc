// The authority of a session and the certificates it gives: as OpenSSL's own check of certificates sees
// them, and as a process of the session reads them again.
#include "preload/tls/authority.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "tests/unit/preload/tls_ends.h"

namespace cassette {
namespace {

constexpr char kName[] = "api.example.com";
constexpr char kIPv4[] = "192.0.2.7";
constexpr char kIPv6[] = "2001:db8::7";

struct FreeParts {
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
  void operator()(BASIC_CONSTRAINTS* p) const { BASIC_CONSTRAINTS_free(p); }
  void operator()(X509_STORE* p) const { X509_STORE_free(p); }
  void operator()(X509_STORE_CTX* p) const { X509_STORE_CTX_free(p); }
};
template <typename T>
using Part = std::unique_ptr<T, FreeParts>;

class AuthorityTest : public TlsTest {
 protected:
  std::string file() const { return folder_ + "/authority"; }

  std::string read() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(std::string_view bytes) const { std::ofstream(file(), std::ios::binary) << bytes; }
  /// What opening says is wrong with such a file; empty: nothing.
  std::string problem_with(std::string_view bytes) const {
    write(bytes);
    auto authority = Authority::open(file());
    return authority.ok() ? "" : authority.error().message;
  }
  /// What an ordinary server of that name shows; nullptr: there is none.
  static X509* leaf_of(Authority& authority, const std::string& name, int rsa_bits = 0) {
    ServerFace face;
    face.names = {name};
    const Authority::Identity& identity = authority.identity_of(face, rsa_bits);
    EXPECT_LE(identity.chain.size(), 1U);
    return identity.chain.empty() ? nullptr : identity.chain.front().get();
  }
  /// Of all leaves that need no other one.
  static EVP_PKEY* key_of(Authority& authority) { return identity_of(authority, kName).key; }

  std::size_t files() const {
    std::filesystem::directory_iterator all(folder_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  /// As a strict client asks: the chain, the purpose, and whom it wanted (nothing: anybody). `at`: its clock; 0: now.
  static int verify(const Authority& trusted, X509* leaf, const std::string& wanted = {},
                    std::time_t at = 0) {
    Owned<X509> root = certificate_of(trusted.der());
    Part<X509_STORE> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), root.get());
    Part<X509_STORE_CTX> context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), leaf, nullptr);
    X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    if (at != 0) X509_VERIFY_PARAM_set_time(parameters, at);
    if (!wanted.empty() && X509_VERIFY_PARAM_set1_ip_asc(parameters, wanted.c_str()) != 1) {
      X509_VERIFY_PARAM_set1_host(parameters, wanted.c_str(), 0);
    }
    return X509_verify_cert(context.get()) == 1 ? X509_V_OK
                                                : X509_STORE_CTX_get_error(context.get());
  }

  /// "DNS:name" or "IP:address", joined by spaces.
  static std::string alternative_names(X509* certificate) {
    Part<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string all;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
      int kind = 0;
      const auto* value = static_cast<ASN1_STRING*>(
          GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind));
      const unsigned char* bytes = ASN1_STRING_get0_data(value);
      const int size = ASN1_STRING_length(value);
      if (!all.empty()) all += ' ';
      if (kind == GEN_IPADD) {
        char text[INET6_ADDRSTRLEN] = "";
        inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
        all += std::string("IP:") + text;
      } else {
        all += kind == GEN_DNS ? "DNS:" : "another kind:";
        all.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
      }
    }
    return all;
  }

  static std::string common_name(X509* certificate) {
    X509_NAME* subject = X509_get_subject_name(certificate);
    EXPECT_EQ(X509_NAME_entry_count(subject), 1);
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 0));
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
            static_cast<std::size_t>(ASN1_STRING_length(value))};
  }

  static bool is_critical(X509* certificate, int kind) {
    const int at = X509_get_ext_by_NID(certificate, kind, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1;
  }

  /// "YYYYMMDDhhmmssZ", whatever form the certificate has.
  static std::string date_of(const ASN1_TIME* time) {
    ASN1_GENERALIZEDTIME* general = ASN1_TIME_to_generalizedtime(time, nullptr);
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(general)));
    ASN1_GENERALIZEDTIME_free(general);
    return text;
  }

  static std::string text_of(const ASN1_STRING* value) {
    if (value == nullptr) return {};
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
            static_cast<std::size_t>(ASN1_STRING_length(value))};
  }
};

// ---- its file ----

TEST_F(AuthorityTest, IsMadeOnceAndReadAgain) {
  auto made = open_authority(), read = open_authority();
  ASSERT_TRUE(made && read);
  EXPECT_EQ(read->der(), made->der());
  EXPECT_EQ(read->pem(), made->pem());
  EXPECT_EQ(read->ticket_keys(), made->ticket_keys());
  EXPECT_EQ(EVP_PKEY_eq(key_of(*read), key_of(*made)), 1);
}

TEST_F(AuthorityTest, TellsItsCertificateInBothForms) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  EXPECT_TRUE(certificate_of(authority->der()));
  BIO* memory = BIO_new_mem_buf(authority->pem().data(), static_cast<int>(authority->pem().size()));
  Owned<X509> read(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr));
  BIO_free(memory);
  ASSERT_TRUE(read);
  EXPECT_EQ(der_of(read.get()), authority->der());
}

TEST_F(AuthorityTest, SessionsHaveNothingInCommon) {
  auto one = open_authority(), other = open_authority("another");
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->der(), other->der());
  EXPECT_NE(one->ticket_keys(), other->ticket_keys());
  EXPECT_NE(EVP_PKEY_eq(key_of(*one), key_of(*other)), 1);
}

TEST_F(AuthorityTest, FileIsForItsOwnerAlone) {
  const mode_t former = umask(0);
  auto authority = open_authority();
  umask(former);
  struct stat status {};
  ASSERT_EQ(stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(files(), 1U) << "nothing is left of how it was made";
}

TEST_F(AuthorityTest, ThoseWhoMakeItAtOnceGetTheSame) {
  constexpr int kThreads = 8;
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> waiting{kThreads};
    std::vector<std::unique_ptr<Authority>> opened(kThreads);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (auto& mine : opened) {
      threads.emplace_back([&] {
        --waiting;
        while (waiting > 0) std::this_thread::yield();
        mine = open_authority();
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& each : opened) {
      ASSERT_TRUE(each);
      EXPECT_EQ(each->der(), opened[0]->der());
      EXPECT_EQ(each->ticket_keys(), opened[0]->ticket_keys());
    }
    EXPECT_EQ(files(), 1U);
    std::filesystem::remove(file());
  }
}

TEST_F(AuthorityTest, AFileThatIsCutShortIsAnErrorThatNamesIt) {
  ASSERT_TRUE(open_authority());
  const std::string whole = read();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    std::string problem = problem_with(whole.substr(0, size));
    ASSERT_NE(problem.find(file()), std::string::npos) << size << " bytes: " << problem;
  }
  EXPECT_EQ(problem_with(whole), "");
}

TEST_F(AuthorityTest, ADamagedFileIsAnErrorThatNamesIt) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  const std::string whole = read();
  const std::size_t magic = whole.find('\n') + 1;
  auto behind = [&whole](std::size_t part) {
    std::uint32_t size = 0;
    std::memcpy(&size, &whole[part], sizeof size);
    return part + sizeof size + size;
  };
  const std::size_t key = behind(magic), leaf_key = behind(key), stranger_key = behind(leaf_key);
  ASSERT_EQ(behind(stranger_key) + authority->ticket_keys().size(), whole.size());
  auto with = [&whole](std::size_t at, char byte) {
    std::string changed = whole;
    changed[at] = byte;
    return changed;
  };
  for (const auto& [what, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"another magic", with(0, 'C')},
           {"an older version", with(magic - 2, '2')},
           {"a length too small", with(magic, '\x01')},
           {"a length beyond the end", with(magic + 3, '\x7f')},
           {"no certificate", with(magic + 4, 'x')},
           {"no key", with(key + 4 + 32, 'x')},
           {"no key of leaves", with(leaf_key + 4 + 32, 'x')},
           {"no key of strangers", with(stranger_key + 4 + 32, 'x')},
           {"a byte too many", whole + "x"},
           {"something else", std::string(whole.size(), '\0')},
       }) {
    std::string problem = problem_with(bytes);
    EXPECT_NE(problem.find(file()), std::string::npos) << what << ": " << problem;
  }
  EXPECT_EQ(problem_with(whole), "");
}

TEST_F(AuthorityTest, AFileThatCannotBeMadeOrReadIsAnErrorThatNamesIt) {
  auto nowhere = Authority::open(folder_ + "/none/authority");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_NE(nowhere.error().message.find(folder_ + "/none/authority"), std::string::npos)
      << nowhere.error().message;
  auto directory = Authority::open(folder_);
  ASSERT_FALSE(directory.ok());
  EXPECT_NE(directory.error().message.find(folder_), std::string::npos)
      << directory.error().message;
}

// ---- its certificate ----

TEST_F(AuthorityTest, IsAnAuthorityWhateverTheDateAndNoServer) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  Owned<X509> root = certificate_of(authority->der());
  EXPECT_EQ(X509_check_ca(root.get()), 1);
  EXPECT_TRUE(is_critical(root.get(), NID_basic_constraints));
  EXPECT_EQ(X509_get_key_usage(root.get()), std::uint32_t{KU_KEY_CERT_SIGN | KU_CRL_SIGN});
  EXPECT_EQ(date_of(X509_get0_notBefore(root.get())), "19700102000000Z");
  EXPECT_EQ(date_of(X509_get0_notAfter(root.get())), "99991231235959Z");
}

// ---- the certificates it gives ----

TEST_F(AuthorityTest, LeafIsForTheNameOrAddressAlone) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  const std::string names[] = {kName, "localhost", "*.example.com", kIPv4, kIPv6};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    X509* leaf = leaf_of(*authority, name);
    ASSERT_NE(leaf, nullptr);
    const bool is_address = name == kIPv4 || name == kIPv6;
    EXPECT_EQ(alternative_names(leaf), (is_address ? "IP:" : "DNS:") + name);
    EXPECT_EQ(common_name(leaf), name);
    EXPECT_EQ(verify(*authority, leaf, name == "*.example.com" ? "a.example.com" : name),
              X509_V_OK);
    EXPECT_NE(verify(*authority, leaf, "another.test"), X509_V_OK);
    EXPECT_NE(verify(*authority, leaf, "192.0.2.8"), X509_V_OK);
  }
}

TEST_F(AuthorityTest, LeafOfALongNameHasAllOfItWhereItCounts) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  // The longest that DNS allows, and one on each side of what a common name may have.
  for (std::size_t size : {64UL, 65UL, 253UL}) {
    std::string name(size, 'a');
    for (std::size_t dot = 60; dot + 1 < size; dot += 60) name[dot] = '.';
    X509* leaf = leaf_of(*authority, name);
    ASSERT_NE(leaf, nullptr) << size;
    EXPECT_EQ(common_name(leaf), name.substr(0, 64));
    EXPECT_EQ(alternative_names(leaf), "DNS:" + name);
    EXPECT_EQ(verify(*authority, leaf, name), X509_V_OK) << size;
    EXPECT_NE(verify(*authority, leaf, name.substr(0, size - 2) + "bb"), X509_V_OK) << size;
  }
}

TEST_F(AuthorityTest, ANameCannotBringAnotherOneIn) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  const std::string names[] = {"a,DNS:evil.test", "a, DNS:evil.test",      "a\nDNS:evil.test",
                               "a;DNS:evil.test", "DNS:evil.test",         "a/CN=evil.test",
                               "@evil.test",      "critical,DNS:evil.test"};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    X509* leaf = leaf_of(*authority, name);
    ASSERT_NE(leaf, nullptr);
    EXPECT_EQ(alternative_names(leaf), "DNS:" + name);
    EXPECT_EQ(common_name(leaf), name);
    EXPECT_NE(verify(*authority, leaf, "evil.test"), X509_V_OK);
    EXPECT_NE(verify(*authority, leaf, "a"), X509_V_OK);
  }
}

TEST_F(AuthorityTest, LeafSaysWhatClientsAskFor) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  Owned<X509> root = certificate_of(authority->der());
  X509* leaf = leaf_of(*authority, kName);
  ASSERT_NE(leaf, nullptr);

  EXPECT_EQ(X509_get_version(leaf), 2);
  EXPECT_EQ(X509_NAME_cmp(X509_get_issuer_name(leaf), X509_get_subject_name(root.get())), 0);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(leaf), key_of(*authority)), 1);

  EXPECT_EQ(date_of(X509_get0_notBefore(leaf)), "19700102000000Z");
  EXPECT_EQ(date_of(X509_get0_notAfter(leaf)), "99991231235959Z");

  EXPECT_TRUE(is_critical(leaf, NID_basic_constraints));
  Part<BASIC_CONSTRAINTS> constraints(static_cast<BASIC_CONSTRAINTS*>(
      X509_get_ext_d2i(leaf, NID_basic_constraints, nullptr, nullptr)));
  ASSERT_TRUE(constraints);
  EXPECT_EQ(constraints->ca, 0);
  EXPECT_EQ(X509_check_ca(leaf), 0);

  EXPECT_TRUE(is_critical(leaf, NID_key_usage));
  EXPECT_EQ(X509_get_key_usage(leaf), std::uint32_t{KU_DIGITAL_SIGNATURE});
  EXPECT_EQ(X509_get_extended_key_usage(leaf), std::uint32_t{XKU_SSL_SERVER});

  const std::string identifier = text_of(X509_get0_subject_key_id(root.get()));
  EXPECT_FALSE(identifier.empty());
  EXPECT_EQ(text_of(X509_get0_authority_key_id(leaf)), identifier);
  EXPECT_FALSE(text_of(X509_get0_subject_key_id(leaf)).empty());
  EXPECT_NE(text_of(X509_get0_subject_key_id(leaf)), identifier);
}

TEST_F(AuthorityTest, LeavesHaveSerialNumbersOfTheirOwn) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  std::set<std::string> numbers;
  for (int i = 0; i < 64; ++i) {
    X509* leaf = leaf_of(*authority, "h" + std::to_string(i) + ".example");
    ASSERT_NE(leaf, nullptr);
    const ASN1_INTEGER* number = X509_get0_serialNumber(leaf);
    EXPECT_EQ(number->type, V_ASN1_INTEGER) << "positive";
    EXPECT_LE(ASN1_STRING_length(number), 20);
    numbers.insert(text_of(number));
  }
  EXPECT_EQ(numbers.size(), 64U);
}

TEST_F(AuthorityTest, LeafIsTrustedByItsOwnSessionOnly) {
  auto authority = open_authority(), again = open_authority(), another = open_authority("another");
  ASSERT_TRUE(authority && again && another);
  X509* leaf = leaf_of(*authority, kName);
  ASSERT_NE(leaf, nullptr);
  EXPECT_EQ(verify(*authority, leaf, kName), X509_V_OK);
  EXPECT_EQ(verify(*again, leaf, kName), X509_V_OK) << "another process of the session";
  EXPECT_NE(verify(*another, leaf, kName), X509_V_OK);
}

TEST_F(AuthorityTest, LeafIsGoodWhateverTheProgramsClockSays) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  X509* leaf = leaf_of(*authority, kName);
  ASSERT_NE(leaf, nullptr);
  constexpr std::time_t kDay = 24L * 60 * 60;
  const std::time_t now = std::time(nullptr);
  for (const std::time_t at :
       {kDay, 30L * 365 * kDay, now - kDay, now + kDay, now + 30L * 365 * kDay, 7000L * 365 * kDay})
    EXPECT_EQ(verify(*authority, leaf, kName, at), X509_V_OK) << at;
}

TEST_F(AuthorityTest, IdentityIsMadeOnceForWhatItIsLike) {
  auto authority = open_authority(), another = open_authority("another");
  ASSERT_TRUE(authority && another);
  const std::string real = identity_of(*another, kName).leaf;
  std::vector<ServerFace> faces(7);
  for (ServerFace& face : faces) face.names = {kName};
  faces[1].names = {"another.test"};
  faces[2].names = {kName, "another.test"};
  faces[3].chain = {real};
  faces[4].chain = {real, another->der()};
  faces[5].chain = {real};
  faces[5].is_trusted = false;
  faces[6].chain = {real};
  faces[6].recorded_at = 1'700'000'000;
  std::set<std::string> leaves;
  for (const ServerFace& face : faces) {
    const Authority::Identity& identity = authority->identity_of(face, 0);
    ASSERT_FALSE(identity.chain.empty());
    EXPECT_EQ(identity.leaf, der_of(identity.chain.front().get()));
    leaves.insert(identity.leaf);
    EXPECT_EQ(&authority->identity_of(face, 0), &identity);
  }
  EXPECT_EQ(leaves.size(), faces.size());
}

TEST_F(AuthorityTest, WhatIsNoPartOfTheCertificateMakesNoOtherOne) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  ServerFace face;
  face.names = {kName};
  face.version = TLS1_2_VERSION;
  face.takes_protocol = false;
  face.asks_for_certificate = true;
  EXPECT_EQ(&authority->identity_of(face, 0), &identity_of(*authority, kName));
}

TEST_F(AuthorityTest, ProcessesOfASessionShowTheSame) {
  auto ours = open_authority(), theirs = open_authority();
  ASSERT_TRUE(ours && theirs);
  EXPECT_EQ(identity_of(*ours, kName).leaf, identity_of(*theirs, kName).leaf);
  for (const int bits : {1024, 2048}) {
    ServerFace face;
    face.names = {kName};
    const Authority::Identity& own = ours->identity_of(face, bits);
    const Authority::Identity& other = theirs->identity_of(face, bits);
    ASSERT_FALSE(own.chain.empty());
    EXPECT_EQ(own.leaf, other.leaf);
    EXPECT_EQ(EVP_PKEY_eq(own.key, other.key), 1);
  }
}

TEST_F(AuthorityTest, ALeafFileThatIsDamagedIsPassedOver) {
  auto ours = open_authority();
  ASSERT_TRUE(ours);
  const std::string leaf = identity_of(*ours, kName).leaf;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string path = entry.path();
    if (path.find("-leaf-") != std::string::npos)
      std::ofstream(path, std::ios::binary) << leaf.substr(0, leaf.size() / 2);
  }
  auto theirs = open_authority();
  ASSERT_TRUE(theirs);
  const Authority::Identity& identity = identity_of(*theirs, kName);
  ASSERT_FALSE(identity.chain.empty());
  EXPECT_EQ(verify(*theirs, identity.chain.front().get(), kName), X509_V_OK);
}

TEST_F(AuthorityTest, RsaLeafHasAKeyOfThatSizeThatTheSessionSharesAlone) {
  const mode_t former = umask(0);
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  for (const int bits : {1024, 2048}) {
    X509* leaf = leaf_of(*authority, kName, bits);
    ASSERT_NE(leaf, nullptr);
    EVP_PKEY* key = X509_get0_pubkey(leaf);
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(EVP_PKEY_get_base_id(key), EVP_PKEY_RSA);
    EXPECT_EQ(EVP_PKEY_get_bits(key), bits);
    EXPECT_EQ(X509_get_key_usage(leaf), std::uint32_t{KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT});
    EXPECT_EQ(verify(*authority, leaf, kName), X509_V_OK);
    struct stat status {};
    ASSERT_EQ(stat((file() + "-rsa-" + std::to_string(bits)).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    // Another leaf has the same key.
    X509* other = leaf_of(*authority, "another.test", bits);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(other), key), 1);
  }
  umask(former);
}

TEST_F(AuthorityTest, ServerWhoseNameNoCertificateCanHaveHasNone) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  ERR_clear_error();
  const Authority::Identity& identity = identity_of(*authority, "h\xff.example");
  EXPECT_TRUE(identity.chain.empty());
  EXPECT_NE(openssl_problem(), "no reason given");
}

TEST_F(AuthorityTest, LeafIsTheSameForAllThreads) {
  auto authority = open_authority();
  ASSERT_TRUE(authority);
  std::vector<X509*> leaves(8);
  std::vector<std::thread> threads;
  threads.reserve(leaves.size());
  for (X509*& mine : leaves) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) leaf_of(*authority, "h" + std::to_string(i) + ".example");
      mine = leaf_of(*authority, kName);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_NE(leaves[0], nullptr);
  EXPECT_EQ(std::count(leaves.begin(), leaves.end(), leaves[0]), 8);
}

}  // namespace
}  // namespace cassette
