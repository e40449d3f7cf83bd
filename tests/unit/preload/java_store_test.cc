// Java's stores of certificates with one more: JKS as they are written down here, PKCS #12 as OpenSSL makes
// them, and both damaged.
#include "preload/tls/java_store.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/preload/tls_ends.h"

namespace cassette {
namespace {

using List = std::vector<std::string>;

constexpr char kPassword[] = "changeit";
constexpr char kAuthority[] = "an authority, DER";

// ---- JKS ----

std::string number(std::uint64_t value, int size) {
  std::string bytes;
  while (size-- > 0) bytes += static_cast<char>(value >> (8 * size));
  return bytes;
}
std::string text(const std::string& bytes) { return number(bytes.size(), 2) + bytes; }
std::string block(const std::string& bytes) { return number(bytes.size(), 4) + bytes; }

std::string jks_digest(const std::string& password, const std::string& bytes) {
  std::string all;
  for (char character : password) all += std::string(1, '\0') + character;
  all += "Mighty Aphrodite" + bytes;
  std::string sum(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const unsigned char*>(all.data()), all.size(),
       reinterpret_cast<unsigned char*>(sum.data()));
  return sum;
}

std::string certificate_entry(const std::string& alias, const std::string& der,
                              const std::string& type = "X.509") {
  return number(2, 4) + text(alias) + number(1700000000123, 8) + text(type) + block(der);
}
std::string key_entry(const std::string& alias, const std::string& key, const List& chain) {
  std::string entry = number(1, 4) + text(alias) + number(1600000000456, 8) + block(key);
  entry += number(chain.size(), 4);
  for (const std::string& der : chain) entry += text("X.509") + block(der);
  return entry;
}
/// A whole store; `count` when it is to be a wrong one.
std::string jks(const List& entries, const std::string& password = kPassword,
                std::optional<std::uint64_t> count = {}) {
  std::string bytes = number(0xfeedfeed, 4) + number(2, 4);
  bytes += number(count.value_or(entries.size()), 4);
  for (const std::string& entry : entries) bytes += entry;
  return bytes + jks_digest(password, bytes);
}

/// Takes a store apart.
class JksReader {
 public:
  struct Entry {
    std::string bytes;  ///< all of it
    std::uint64_t tag;
    std::string alias;
    std::string certificate;  ///< of a tag 2

    bool operator==(const Entry&) const = default;
  };

  /// What is in a whole and correct one; nothing: it is none.
  static std::optional<std::vector<Entry>> read(const std::string& bytes,
                                                const std::string& password) {
    if (bytes.size() < SHA_DIGEST_LENGTH) return std::nullopt;
    JksReader reader;
    reader.bytes_ = bytes.substr(0, bytes.size() - SHA_DIGEST_LENGTH);
    if (reader.bytes_ + jks_digest(password, reader.bytes_) != bytes) return std::nullopt;
    if (reader.take_number(4) != 0xfeedfeed || reader.take_number(4) != 2) return std::nullopt;
    std::vector<Entry> entries;
    for (std::uint64_t count = reader.take_number(4); count > 0 && reader.good_; --count)
      entries.push_back(reader.take_entry());
    if (!reader.good_ || reader.at_ != reader.bytes_.size()) return std::nullopt;
    return entries;
  }

 private:
  std::string take(std::size_t size) {
    if (size > bytes_.size() - at_) {
      good_ = false;
      return {};
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  std::uint64_t take_number(std::size_t size) {
    std::uint64_t value = 0;
    for (unsigned char byte : take(size)) value = value << 8 | byte;
    return value;
  }
  Entry take_entry() {
    const std::size_t begin = at_;
    Entry entry{
        .bytes = "", .tag = take_number(4), .alias = take(take_number(2)), .certificate = ""};
    take(8);
    if (entry.tag == 1) {
      take(take_number(4));
      for (std::uint64_t links = take_number(4); links > 0 && good_; --links) {
        take(take_number(2));
        take(take_number(4));
      }
    } else {
      good_ = good_ && entry.tag == 2 && take(take_number(2)) == "X.509";
      entry.certificate = take(take_number(4));
    }
    entry.bytes = bytes_.substr(begin, at_ - begin);
    return entry;
  }

  std::string bytes_;
  std::size_t at_ = 0;
  bool good_ = true;
};

// ---- PKCS #12 ----

struct FreeStore {
  void operator()(PKCS12* p) const { PKCS12_free(p); }
  void operator()(PKCS7* p) const { PKCS7_free(p); }
  void operator()(STACK_OF(PKCS7) * p) const { sk_PKCS7_pop_free(p, PKCS7_free); }
  void operator()(STACK_OF(PKCS12_SAFEBAG) * p) const {
    sk_PKCS12_SAFEBAG_pop_free(p, PKCS12_SAFEBAG_free);
  }
  void operator()(ASN1_OBJECT* p) const { ASN1_OBJECT_free(p); }
};
template <typename T>
using Kept = std::unique_ptr<T, FreeStore>;
using Bags = STACK_OF(PKCS12_SAFEBAG);
using Safes = STACK_OF(PKCS7);

constexpr char kTrustedKeyUsage[] = "2.16.840.1.113894.746875.1.1";

EVP_PKEY* some_key() {
  static const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  return key.get();
}

/// A certificate of that name, which it signed itself.
Owned<X509> certificate(const std::string& name) {
  static long serial = 0;
  Owned<X509> made(X509_new());
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 60L * 60);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  X509_set_pubkey(made.get(), some_key());
  EXPECT_GT(X509_sign(made.get(), some_key(), EVP_sha256()), 0);
  return made;
}

/// How a bag of a PKCS #12 file is protected, and by what.
struct Protection {
  int cipher = -1;  ///< -1: not at all
  std::string password = kPassword;
};
constexpr int kPlain = -1;
constexpr int kAes = NID_aes_256_cbc;  // PBES2, as newer versions of keytool have it

/// Made as keytool makes it: a bag of certificates, and one of keys.
class Pkcs12 {
 public:
  /// A certificate that Java trusts: with the attribute.
  Pkcs12& trusted(X509* certificate) {
    PKCS12_SAFEBAG* bag = add(certificate);
    Kept<ASN1_OBJECT> any_usage(OBJ_txt2obj("2.5.29.37.0", 1));
    EXPECT_EQ(PKCS12_add1_attr_by_txt(bag, kTrustedKeyUsage, V_ASN1_OBJECT,
                                      reinterpret_cast<unsigned char*>(any_usage.get()), -1),
              1);
    return *this;
  }
  /// One without it. `attribute`: another one, or empty.
  Pkcs12& untrusted(X509* certificate, const std::string& attribute = {}) {
    PKCS12_SAFEBAG* bag = add(certificate);
    if (!attribute.empty()) {
      EXPECT_EQ(PKCS12_add1_attr_by_txt(bag, attribute.c_str(), V_ASN1_UTF8STRING,
                                        reinterpret_cast<const unsigned char*>("x"), 1),
                1);
    }
    return *this;
  }
  Pkcs12& key() {
    Bags* bags = nullptr;
    EXPECT_NE(PKCS12_add_key(&bags, some_key(), 0, 1, kAes, kPassword), nullptr);
    keep(bags, {});
    return *this;
  }
  /// Ends a bag: what was added since the last one is in it.
  Pkcs12& bag(const Protection& protection = {}) {
    keep(bags_.release(), protection);
    return *this;
  }
  /// The file. `mac`: with a check of its integrity.
  std::string file(bool mac, const std::string& password = kPassword) {
    Kept<PKCS12> made(PKCS12_add_safes(safes_.get(), 0));
    if (mac) {
      EXPECT_EQ(PKCS12_set_mac(made.get(), password.c_str(), -1, nullptr, 0, 1, EVP_sha256()), 1);
    }
    unsigned char* der = nullptr;
    const int size = i2d_PKCS12(made.get(), &der);
    EXPECT_GT(size, 0);
    std::string bytes(reinterpret_cast<char*>(der), size > 0 ? static_cast<std::size_t>(size) : 0);
    OPENSSL_free(der);
    return bytes;
  }

 private:
  PKCS12_SAFEBAG* add(X509* certificate) {
    Bags* bags = bags_.release();
    PKCS12_SAFEBAG* bag = PKCS12_add_cert(&bags, certificate);
    EXPECT_NE(bag, nullptr);
    bags_.reset(bags);
    return bag;
  }
  void keep(Bags* bags, const Protection& protection) {
    Kept<Bags> mine(bags != nullptr ? bags : sk_PKCS12_SAFEBAG_new_null());
    Safes* safes = safes_.release();
    EXPECT_EQ(
        PKCS12_add_safe(&safes, mine.get(), protection.cipher, 1, protection.password.c_str()), 1);
    safes_.reset(safes);
  }

  Kept<Bags> bags_;
  Kept<Safes> safes_{sk_PKCS7_new_null()};
};

// ---- what is asked ----

struct Merged {
  std::string bytes;
  List certificates;
};
Merged merge(const std::string& bytes, const std::string& password = kPassword) {
  Merged merged;
  merged.bytes = merge_java_store(bytes, password, kAuthority, &merged.certificates);
  return merged;
}

/// The certificates in a merged store that were not added; nothing: it is no store, or the authority is not
/// its last entry.
std::optional<List> originals_in(const std::string& bytes,
                                 const std::string& password = kPassword) {
  auto entries = JksReader::read(bytes, password);
  if (!entries || entries->empty() || entries->back().certificate != kAuthority)
    return std::nullopt;
  List all;
  for (std::size_t i = 0; i + 1 < entries->size(); ++i) all.push_back((*entries)[i].certificate);
  return all;
}

void expect_none(const std::string& bytes, const std::string& password = kPassword) {
  const Merged merged = merge(bytes, password);
  EXPECT_EQ(merged.bytes, "");
  EXPECT_EQ(merged.certificates, List{});
}

/// Whatever the bytes are: nothing, or a store with the authority.
void expect_none_or_a_store(const std::string& bytes) {
  const Merged merged = merge(bytes);
  if (merged.bytes.empty()) {
    EXPECT_EQ(merged.certificates, List{});
    return;
  }
  auto entries = JksReader::read(merged.bytes, kPassword);
  // A type of certificate that is damaged stays so.
  if (!entries) {
    EXPECT_EQ(bytes.substr(0, 4), number(0xfeedfeed, 4));
    return;
  }
  ASSERT_FALSE(entries->empty());
  EXPECT_EQ(entries->back().certificate, kAuthority);
}

void expect_truncation_endured(const std::string& whole) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // At the end of an allocation, so that a read beyond it is seen.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    List certificates;
    EXPECT_EQ(merge_java_store({cut.data(), cut.size()}, kPassword, kAuthority, &certificates), "")
        << size << " bytes of " << whole.size();
    EXPECT_EQ(certificates, List{}) << size << " bytes of " << whole.size();
  }
}

void expect_damage_endured(const std::string& whole) {
  std::mt19937 random(20240229);
  for (int round = 0; round < 2000 && !::testing::Test::HasFailure(); ++round) {
    std::string damaged = whole;
    for (unsigned changes = 1 + random() % 3; changes > 0; --changes)
      damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
    SCOPED_TRACE(::testing::PrintToString(damaged));  // each run has other keys
    expect_none_or_a_store(damaged);
  }
}

// ---- JKS: what is kept, and what is added ----

TEST(JavaStore, AJksGetsTheAuthorityBehindItsCertificates) {
  const List entries = {certificate_entry("one", "DER of one"),
                        certificate_entry("two", "DER of two")};
  const Merged merged = merge(jks(entries));
  auto read = JksReader::read(merged.bytes, kPassword);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 3U);
  EXPECT_EQ((*read)[0].bytes, entries[0]);
  EXPECT_EQ((*read)[1].bytes, entries[1]);
  EXPECT_EQ((*read)[2].tag, 2U);
  EXPECT_EQ((*read)[2].certificate, kAuthority);
  EXPECT_NE((*read)[2].alias, "");
  EXPECT_EQ(merged.certificates, (List{"DER of one", "DER of two"}));
}

TEST(JavaStore, AJksKeepsItsKeysByteForByteAndTrustsTheirChainsNot) {
  const List entries = {
      key_entry("mine", std::string("an encrypted\0key", 16), {"DER of mine", "DER of my issuer"}),
      certificate_entry("one", "DER of one"), key_entry("lonely", "another key", {}),
      key_entry("", "", {""})};
  const Merged merged = merge(jks(entries));
  auto read = JksReader::read(merged.bytes, kPassword);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 5U);
  for (std::size_t i = 0; i < entries.size(); ++i) EXPECT_EQ((*read)[i].bytes, entries[i]) << i;
  EXPECT_EQ(read->back().certificate, kAuthority);
  EXPECT_EQ(merged.certificates, List{"DER of one"});
}

TEST(JavaStore, ARealCertificateIsTheSameAfterwards) {
  const std::string der = der_of(certificate("root").get());
  const Merged merged = merge(jks({certificate_entry("root", der)}));
  EXPECT_EQ(merged.certificates, List{der});
  EXPECT_EQ(originals_in(merged.bytes), List{der});
}

TEST(JavaStore, AnEmptyJksHasTheAuthorityAfterwards) {
  const Merged merged = merge(jks({}));
  EXPECT_EQ(originals_in(merged.bytes), List{});
  EXPECT_EQ(merged.certificates, List{});
}

TEST(JavaStore, AJksOfManyAndOfBigEntries) {
  List entries, certificates;
  for (int i = 0; i < 1000; ++i) {
    certificates.push_back("DER " + std::to_string(i));
    entries.push_back(certificate_entry("alias" + std::to_string(i), certificates.back()));
  }
  certificates.emplace_back(1000000, 'x');
  entries.push_back(certificate_entry(std::string(65535, 'a'), certificates.back()));
  const Merged merged = merge(jks(entries));
  EXPECT_EQ(merged.certificates, certificates);
  EXPECT_EQ(originals_in(merged.bytes), certificates);
}

TEST(JavaStore, ItsDigestIsForThePasswordGiven) {
  for (const std::string& password : {std::string("changeit"), std::string("another one"),
                                      std::string(), std::string(1000, 'p')}) {
    const Merged merged = merge(jks({certificate_entry("one", "DER of one")}, password), password);
    EXPECT_EQ(originals_in(merged.bytes, password), List{"DER of one"}) << password;
    EXPECT_FALSE(JksReader::read(merged.bytes, password + "x")) << password;
  }
}

TEST(JavaStore, AMergedStoreCanBeMergedAgain) {
  const Merged once = merge(jks({certificate_entry("one", "DER of one")}));
  const Merged twice = merge(once.bytes);
  EXPECT_EQ(originals_in(twice.bytes), (List{"DER of one", kAuthority}));
  EXPECT_EQ(twice.certificates, (List{"DER of one", kAuthority}));
}

TEST(JavaStore, AnAuthorityOfAnySizeIsAdded) {
  for (std::size_t size : {0UL, 1UL, 255UL, 256UL, 65536UL, 200000UL}) {
    const std::string authority(size, 'a');
    List certificates;
    auto read =
        JksReader::read(merge_java_store(jks({}), kPassword, authority, &certificates), kPassword);
    ASSERT_TRUE(read) << size;
    EXPECT_EQ(read->back().certificate, authority) << size;
  }
}

// ---- JKS: what is none ----

TEST(JavaStore, AJksWithACountThatIsWrongIsNone) {
  const List entries = {certificate_entry("one", "DER of one"), key_entry("mine", "key", {"DER"})};
  for (std::uint64_t count : std::initializer_list<std::uint64_t>{0, 1, 3, 0x7fffffff, 0x80000000,
                                                                  0xfffffffe, 0xffffffff})
    expect_none(jks(entries, kPassword, count));
  expect_none(jks({}, kPassword, 0xffffffff));
}

TEST(JavaStore, AJksWithLengthsBeyondItsEndIsNone) {
  const std::string head = number(2, 4) + text("one") + number(0, 8);
  for (std::uint64_t size :
       std::initializer_list<std::uint64_t>{1, 21, 0x7fffffff, 0x80000000, 0xffffffff}) {
    SCOPED_TRACE(size);
    expect_none(jks({head + text("X.509") + number(size, 4)}));
    expect_none(jks({number(1, 4) + text("key") + number(0, 8) + number(size, 4)}));
    // A chain of so many.
    expect_none(jks({number(1, 4) + text("key") + number(0, 8) + block("key") + number(size, 4)}));
    expect_none(jks({key_entry("key", "key", {"DER"}).substr(0, 26) + number(size, 4)}));
  }
  expect_none(jks({number(2, 4) + number(0xffff, 2) + "one"}));
  expect_none(jks({head + number(0xffff, 2) + "X.509"}));
}

TEST(JavaStore, AJksOfAnotherKindIsNone) {
  const std::string whole = jks({certificate_entry("one", "DER of one")});
  auto with = [&whole](std::size_t at, const std::string& bytes) {
    return whole.substr(0, at) + bytes + whole.substr(at + bytes.size());
  };
  expect_none(with(0, number(0xcececece, 4)));  // JCEKS
  expect_none(with(0, number(0xedfeedfe, 4)));
  for (std::uint64_t version : {0, 1, 3}) expect_none(with(4, number(version, 4)));
  for (std::uint64_t tag : {0, 3, 0x02000000}) expect_none(with(12, number(tag, 4)));
  expect_none(whole + "x");
  expect_none(whole + whole);
}

TEST(JavaStore, ACutJksIsNone) {
  expect_truncation_endured(jks({certificate_entry("one", "DER of one"),
                                 key_entry("mine", "a key", {"DER of mine", "DER of my issuer"}),
                                 certificate_entry("two", "DER of two")}));
}

TEST(JavaStore, ADamagedJksIsEndured) {
  expect_damage_endured(jks({certificate_entry("one", "DER of one"),
                             key_entry("mine", "a key", {"DER of mine", "DER of my issuer"}),
                             certificate_entry("two", "DER of two")}));
}

// ---- PKCS #12: what Java trusts ----

TEST(JavaStore, APkcs12BecomesAJksWithTheAuthority) {
  Owned<X509> one = certificate("one"), two = certificate("two");
  const List expected = {der_of(one.get()), der_of(two.get())};
  for (int cipher : {kPlain, kAes, NID_aes_128_cbc, NID_pbe_WithSHA1And3_Key_TripleDES_CBC}) {
    for (bool mac : {true, false}) {
      SCOPED_TRACE(std::string(cipher == kPlain ? "plain" : OBJ_nid2sn(cipher)) +
                   (mac ? ", with a MAC" : ", without a MAC"));
      const std::string bytes =
          Pkcs12().trusted(one.get()).trusted(two.get()).bag({cipher}).file(mac);
      const Merged merged = merge(bytes);
      EXPECT_EQ(originals_in(merged.bytes), expected);
      EXPECT_EQ(merged.certificates, expected);
    }
  }
}

TEST(JavaStore, EachCertificateOfAPkcs12GetsANameOfItsOwn) {
  Pkcs12 store;
  for (int i = 0; i < 20; ++i) store.trusted(certificate("c" + std::to_string(i)).get());
  auto read = JksReader::read(merge(store.bag({kAes}).file(true)).bytes, kPassword);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 21U);
  for (std::size_t i = 0; i < read->size(); ++i) {
    EXPECT_EQ((*read)[i].tag, 2U);
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE((*read)[i].alias, (*read)[j].alias);
  }
}

TEST(JavaStore, ACertificateWithoutTheAttributeIsNotTrusted) {
  Owned<X509> one = certificate("one"), two = certificate("two"), three = certificate("three");
  for (int cipher : {kPlain, kAes}) {
    Pkcs12 store;
    store.untrusted(one.get()).trusted(two.get());
    // Another attribute of Oracle's, and a longer one.
    store.untrusted(three.get(), "2.16.840.1.113894.746875.1.2");
    store.untrusted(three.get(), std::string(kTrustedKeyUsage) + ".1");
    const Merged merged = merge(store.bag({cipher}).file(true));
    EXPECT_EQ(originals_in(merged.bytes), List{der_of(two.get())});
    EXPECT_EQ(merged.certificates, List{der_of(two.get())});
  }
}

TEST(JavaStore, APkcs12WithNobodyToTrustIsNone) {
  Owned<X509> mine = certificate("mine");
  expect_none(Pkcs12().untrusted(mine.get()).bag({kAes}).key().file(true));
  expect_none(Pkcs12().untrusted(mine.get()).bag().file(false));
  expect_none(Pkcs12().bag().file(true));
  expect_none(Pkcs12().key().file(true));
  expect_none(Pkcs12().file(true));
  expect_none(Pkcs12().file(false));
}

TEST(JavaStore, AllBagsOfAPkcs12AreLookedAt) {
  Owned<X509> one = certificate("one"), two = certificate("two"), three = certificate("three");
  const std::string bytes = Pkcs12()
                                .trusted(one.get())
                                .bag({kAes})
                                .trusted(two.get())
                                .bag({kPlain})
                                .trusted(three.get())
                                .bag({NID_aes_128_cbc})
                                .file(true);
  const List expected = {der_of(one.get()), der_of(two.get()), der_of(three.get())};
  EXPECT_EQ(merge(bytes).certificates, expected);
  EXPECT_EQ(originals_in(merge(bytes).bytes), expected);
}

TEST(JavaStore, APasswordOtherThanThePkcs12sOpensNothing) {
  Owned<X509> one = certificate("one");
  const std::string bytes = Pkcs12().trusted(one.get()).bag({kAes}).file(true);
  for (const std::string& password : {std::string("wrong"), std::string(), std::string("Changeit"),
                                      std::string("changeit "), std::string(5000, 'p')})
    expect_none(bytes, password);
}

TEST(JavaStore, APkcs12WithoutEncryptionIsReadWithAnyPassword) {
  // Java itself finds fault with the MAC, or does not ask for a password at all.
  Owned<X509> one = certificate("one");
  for (bool mac : {true, false}) {
    const std::string bytes = Pkcs12().trusted(one.get()).bag().file(mac);
    const Merged merged = merge(bytes, "another");
    EXPECT_EQ(originals_in(merged.bytes, "another"), List{der_of(one.get())});
  }
}

TEST(JavaStore, APkcs12OfAnotherPasswordIsReadWithThat) {
  Owned<X509> one = certificate("one");
  for (const std::string& password : {std::string("s3cret word"), std::string(200, 'p')}) {
    const std::string bytes =
        Pkcs12().trusted(one.get()).bag({kAes, password}).file(true, password);
    EXPECT_EQ(originals_in(merge(bytes, password).bytes, password), List{der_of(one.get())});
    expect_none(bytes);
  }
}

// ---- PKCS #12: damage ----

std::string pkcs12_with_all() {
  return Pkcs12()
      .trusted(certificate("one").get())
      .untrusted(certificate("two").get())
      .bag({kAes})
      .file(true);
}
std::string plain_pkcs12() {
  return Pkcs12()
      .trusted(certificate("one").get())
      .untrusted(certificate("two").get())
      .bag()
      .file(false);
}

TEST(JavaStore, ACutPkcs12IsNone) {
  expect_truncation_endured(pkcs12_with_all());
  expect_truncation_endured(plain_pkcs12());
}

TEST(JavaStore, ADamagedPkcs12IsEndured) {
  expect_damage_endured(pkcs12_with_all());
  expect_damage_endured(plain_pkcs12());
}

TEST(JavaStore, APkcs12WithLengthsBeyondItsEndIsNone) {
  for (const std::string& bytes :
       {std::string("\x30\x82\xff\xff\x02\x01\x03", 7),
        std::string("\x30\x83\xff\xff\xff\x02\x01\x03", 8),
        std::string("\x30\x84\x7f\xff\xff\xff\x02\x01\x03", 9),
        std::string("\x30\x84\xff\xff\xff\xff\x02\x01\x03", 9),
        std::string("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x02\x01\x03", 13),
        std::string("\x30\x80", 2), std::string("\x30\x80\x02\x01\x03\x00\x00", 7),
        std::string("\x30\x82", 2), std::string("\x30", 1), std::string("\x30\x00", 2)})
    expect_none(bytes);
}

TEST(JavaStore, DeeplyNestedAsn1IsNone) {
  // An indefinite length in an indefinite length in ...
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += "\x30\x80";
  expect_none(bytes);
  bytes.clear();
  for (int i = 0; i < 100000; ++i) bytes += "\xa0\x80";
  expect_none("\x30\x82" + number(0xfff0, 2) + std::string("\x02\x01\x03", 3) + bytes);
}

TEST(JavaStore, APkcs12WithRoundsWithoutEndIsNone) {
  // Java refuses more than five million; these take hours.
  Bags* bags = nullptr;
  ASSERT_NE(PKCS12_add_cert(&bags, certificate("one").get()), nullptr);
  Kept<Bags> kept(bags);
  Kept<Safes> safes(sk_PKCS7_new_null());
  PKCS7* safe = PKCS12_pack_p7encdata(kAes, kPassword, -1, nullptr, 0, 1, kept.get());
  ASSERT_NE(safe, nullptr);
  sk_PKCS7_push(safes.get(), safe);
  X509_ALGOR*& algorithm = safe->d.encrypted->enc_data->algorithm;
  X509_ALGOR_free(algorithm);
  algorithm = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), 0x7fffffff, nullptr, 0, nullptr, -1);
  Kept<PKCS12> file(PKCS12_add_safes(safes.get(), 0));
  unsigned char* der = nullptr;
  const int size = i2d_PKCS12(file.get(), &der);
  ASSERT_GT(size, 0);
  const std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);

  const pid_t child = fork();
  if (child == 0) {
    const rlimit seconds{2, 2};
    setrlimit(RLIMIT_CPU, &seconds);
    _exit(merge(bytes).bytes.empty() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << "it was still at it after two seconds";
  EXPECT_EQ(status, 0);
}

/// `keytool -importcert` before Java 16, and later with -J-Dkeystore.pkcs12.legacy: the certificates are
/// encrypted by pbeWithSHA1And40BitRC2-CBC.
constexpr char kOldStore[] =
    "3082024e0201033082020706092a864886f70d010701a08201f8048201f4308201f0308201ec06092a864886"
    "f70d010706a08201dd308201d9020100308201d206092a864886f70d0107013029060a2a864886f70d010c01"
    "06301b0414493e15bd2472a4ae98944911b6ee440cd2009197020300c350808201989bc7476ba7237f73e702"
    "69673895d0dbdbf1d6f624108dd4015421d50e3d9c64948d4405b8c796612f6f18b2d36ec327f4374b781d42"
    "788484695e112c5c699320b7f07be2b667aff3d8ee9928858bc894fa48e26489a1aadaaa5d90ace9c84b2f40"
    "fe624bd273ab096240af4aa98c19e320775b7ef76526c870fb256d625c901fe01c367d54f43fbb40b882ad00"
    "db073db1cb1b4a5220f469fbe07d99ce767374220238926d0cd68b18e351b95cb49a9aa56546716caf670b27"
    "925f1a980f7c4f8f8576528cf3eece375d2a499c181536787985e7775590514a8c1d72be0b8a6058dcd5fa43"
    "5e9ae0071b01b813ef46e3247d8d5990621a884d9a37685ae3266efaea063d2ff44f69fea960460dc06d0f15"
    "2f7a84b9caed752d577dea08dbb05db2dfb620ed146a166f1826402b98599984d47dc1ab23b17d267007e697"
    "91608bd3c9948f542817105d01f905625e55d232d0aa9a464bcc62b1047ec9a387c5c16a3a209693c0e592f7"
    "e3c7eef15b2f98614273adde35eb85470e6bf09623fc40e2f8ff32fe906712f479e71c3a5ec6490464af383c"
    "14db303e3021300906052b0e03021a05000414aeb2c5cf8aabc87a1bc164e6b5ad5e86069c715f04148d606b"
    "69beca178f20c66070faf977c098a593e202030186a0";

TEST(JavaStore, APkcs12OfAnOlderKeytoolIsRead) {
  long size = 0;
  unsigned char* decoded = OPENSSL_hexstr2buf(kOldStore, &size);
  ASSERT_NE(decoded, nullptr);
  const std::string bytes(reinterpret_cast<char*>(decoded), static_cast<std::size_t>(size));
  OPENSSL_free(decoded);
  const Merged merged = merge(bytes);
  EXPECT_EQ(merged.certificates.size(), 1U);
  auto originals = originals_in(merged.bytes);
  ASSERT_TRUE(originals);
  EXPECT_EQ(*originals, merged.certificates);
}

TEST(JavaStore, APkcs12DoesNotLoseItsKeys) {
  // One file may be the program's trust store and its key store.
  Owned<X509> one = certificate("one");
  const Merged merged = merge(Pkcs12().trusted(one.get()).bag({kAes}).key().file(true));
  if (merged.bytes.empty()) return;  // the program reads its own
  auto read = JksReader::read(merged.bytes, kPassword);
  ASSERT_TRUE(read) << "if it is another kind by now, look for the key there";
  EXPECT_TRUE(
      std::any_of(read->begin(), read->end(), [](const auto& entry) { return entry.tag == 1; }));
}

// ---- neither ----

TEST(JavaStore, NothingIsLeftInOpenSslsListOfErrors) {
  ERR_clear_error();
  for (const std::string& bytes : {std::string("not a store"), std::string("\x30\x82\xff\xff", 4),
                                   plain_pkcs12(), pkcs12_with_all(), jks({})}) {
    ERR_clear_error();  // what making it has left
    merge(bytes);
    EXPECT_EQ(ERR_peek_error(), 0U) << ERR_reason_error_string(ERR_peek_error());
    merge(bytes, "another");
    EXPECT_EQ(ERR_peek_error(), 0U) << ERR_reason_error_string(ERR_peek_error());
  }
  ERR_clear_error();
}

TEST(JavaStore, OtherFilesAreNone) {
  expect_none("");
  expect_none(std::string(1, '\0'));
  expect_none("not a store");
  expect_none(std::string(100000, '\0'));
  expect_none(std::string(100000, '\xff'));
  expect_none(std::string(100000, '\x30'));
  expect_none(number(0xfeedfeed, 4));
  expect_none(number(0xfeedfeed, 4) + std::string(100000, '\0'));
  expect_none(number(0xfeedfeed, 4) + number(2, 4) + std::string(100000, '\xff'));
  expect_none(der_of(certificate("a certificate alone").get()));
}

TEST(JavaStore, PemIsNone) {
  Owned<X509> one = certificate("one");
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, one.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  expect_none({data, static_cast<std::size_t>(size)});
  BIO_free(memory);
}

TEST(JavaStore, RandomBytesAreNone) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (round % 3 == 1) bytes = number(0xfeedfeed, 4) + number(2, 4) + number(1, 4) + bytes;
    if (round % 3 == 2) bytes = "\x30\x82" + number(bytes.size(), 2) + bytes;
    expect_none_or_a_store(bytes);
  }
}

}  // namespace
}  // namespace cassette
