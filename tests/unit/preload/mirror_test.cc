// Certificates that are like a real server's: what they say, and that OpenSSL's verdict on them is the one that it has on
// the real ones, with the same store and the session's authority in it.
#include "preload/tls/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "preload/tls/certificate.h"
#include "preload/tls/keys.h"
#include "tests/unit/preload/certificates.h"
#include "tests/unit/preload/tls_ends.h"

namespace cassette {
namespace {

using ::testing::ElementsAre;
using Chain = std::vector<Owned<X509>>;

constexpr char kName[] = "h.example";

std::vector<X509*> pointers(const Chain& chain) {
  std::vector<X509*> all;
  for (const Owned<X509>& one : chain) all.push_back(one.get());
  return all;
}
std::vector<std::string> ders(const std::vector<X509*>& chain) {
  std::vector<std::string> all;
  for (X509* one : chain) all.push_back(der_of(one));
  return all;
}

class MirrorTest : public TlsTest {
 protected:
  void SetUp() override {
    TlsTest::SetUp();
    ERR_clear_error();
    root_ = make_authority("root");
    within_ = make_authority("within", &root_);
    own_ = make_server(kName, &within_);
    authority_key_ = make_ec_key();
    authority_ = certificate_of(der_of(make_authority_certificate(authority_key_.get()).get()));
    leaf_key_ = make_ec_key();
    stranger_key_ = make_ec_key();
    ERR_clear_error();
  }
  void TearDown() override {
    EXPECT_EQ(ERR_peek_error(), 0U) << "left in OpenSSL's list: " << openssl_problem();
    TlsTest::TearDown();
  }

  /// Read again, as the program does.
  Chain mirror(const std::vector<std::string>& chain, bool trusted, std::int64_t recorded_at = 0,
               EVP_PKEY* leaf_key = nullptr) {
    Chain made = mirror_chain(chain, trusted, recorded_at,
                              {.leaf = leaf_key != nullptr ? leaf_key : leaf_key_.get(),
                               .authority = authority_.get(),
                               .authority_key = authority_key_.get(),
                               .stranger = stranger_key_.get()});
    EXPECT_EQ(ERR_peek_error(), 0U) << "left in OpenSSL's list: " << openssl_problem();
    Chain read;
    for (const Owned<X509>& one : made) read.push_back(certificate_of(der_of(one.get())));
    return read;
  }
  Chain mirror_of(const std::vector<X509*>& chain, bool trusted, std::int64_t recorded_at = 0) {
    // Whom the session's authority stands for is not in the path (ChainVerdict).
    return mirror(ders(trusted ? std::vector<X509*>{chain.front()} : chain), trusted, recorded_at);
  }

  /// Of the mirrored chain, by who trusts the session's authority besides. `met`: how the chain was sent.
  int mirrored_verdict(const std::vector<X509*>& met, bool trusted, CheckPlan plan) {
    const Chain made = mirror_of(met, trusted);
    EXPECT_FALSE(made.empty());
    plan.trusts.push_back(authority_.get());
    return verdict_of(pointers(made), plan);
  }
  /// The verdict on both, which is one. `trusted`: what the library is told of the real one.
  int common_verdict(const std::vector<X509*>& met, bool trusted, const CheckPlan& plan) {
    const int real = verdict_of(met, plan);
    EXPECT_EQ(mirrored_verdict(met, trusted, plan), real)
        << X509_verify_cert_error_string(mirrored_verdict(met, trusted, plan)) << " instead of "
        << X509_verify_cert_error_string(real);
    return real;
  }

  /// A server's certificate of that kind, signed by `within_`.
  RealCertificate server(const std::function<void(CertificatePlan&)>& change) {
    CertificatePlan plan{.subject = kName, .extensions = server_extensions(kName)};
    change(plan);
    return make_real(plan, &within_);
  }
  static RealCertificate self_signed(const std::string& name = kName) {
    return make_real({.subject = name,
                      .extensions = {{NID_subject_key_identifier, "hash"},
                                     {NID_authority_key_identifier, "keyid:always"},
                                     {NID_basic_constraints, "critical,CA:TRUE"},
                                     {NID_subject_alt_name, "DNS:" + name}}});
  }

  static std::string date_of(const ASN1_TIME* time) {
    ASN1_GENERALIZEDTIME* general = ASN1_TIME_to_generalizedtime(time, nullptr);
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(general)));
    ASN1_GENERALIZEDTIME_free(general);
    return text;
  }
  static std::string dates_of(X509* certificate) {
    return date_of(X509_get0_notBefore(certificate)) + " " +
           date_of(X509_get0_notAfter(certificate));
  }
  /// The extension, DER; empty: it is not there.
  static std::string extension_of(X509* certificate, int kind) {
    const int at = X509_get_ext_by_NID(certificate, kind, -1);
    if (at < 0) return {};
    unsigned char* bytes = nullptr;
    const int size = i2d_X509_EXTENSION(X509_get_ext(certificate, at), &bytes);
    std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
  }
  static std::string text_of(const ASN1_OCTET_STRING* value) {
    if (value == nullptr) return {};
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
            static_cast<std::size_t>(ASN1_STRING_length(value))};
  }
  static int digest_of(X509* certificate) {
    int digest = NID_undef;
    X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr);
    return digest;
  }

  RealCertificate root_, within_, own_;
  Owned<EVP_PKEY> authority_key_, leaf_key_, stranger_key_;
  Owned<X509> authority_;
};

// ---- what it says ----

TEST_F(MirrorTest, OfATrustedServerIsOneCertificateByTheSessionsAuthority) {
  const Chain made = mirror_of({own_.get(), within_.get(), root_.get()}, true);
  ASSERT_EQ(made.size(), 1U);
  X509* it = made[0].get();
  EXPECT_EQ(X509_NAME_cmp(X509_get_issuer_name(it), X509_get_subject_name(authority_.get())), 0);
  EXPECT_EQ(X509_verify(it, authority_key_.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(it), leaf_key_.get()), 1);
  EXPECT_EQ(text_of(X509_get0_authority_key_id(it)),
            text_of(X509_get0_subject_key_id(authority_.get())));
}

TEST_F(MirrorTest, OfAnUntrustedServerIsTheWholeChainByStrangers) {
  const std::vector<X509*> real = {own_.get(), within_.get(), root_.get()};
  const Chain made = mirror_of(real, false);
  ASSERT_EQ(made.size(), real.size());
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(made[0].get()), leaf_key_.get()), 1);
  for (std::size_t i = 0; i < real.size(); ++i) {
    X509* it = made[i].get();
    EXPECT_EQ(X509_NAME_cmp(X509_get_subject_name(it), X509_get_subject_name(real[i])), 0) << i;
    EXPECT_EQ(X509_NAME_cmp(X509_get_issuer_name(it), X509_get_issuer_name(real[i])), 0) << i;
    EXPECT_EQ(X509_verify(it, stranger_key_.get()), 1) << i;
    EXPECT_NE(X509_verify(it, authority_key_.get()), 1) << i;
    ERR_clear_error();
    if (i == 0) continue;
    EXPECT_EQ(X509_check_issued(it, made[i - 1].get()), X509_V_OK) << i;
  }
}

TEST_F(MirrorTest, SaysAllThatTheRealOneSaysOfTheServer) {
  RealCertificate real = server([](CertificatePlan& plan) {
    plan.extensions = {
        {NID_subject_alt_name, "DNS:h.example,DNS:*.h.example,IP:192.0.2.7,email:a@h.example"},
        {NID_ext_key_usage, "serverAuth,emailProtection"},
        {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid"},
        {NID_info_access,
         "OCSP;URI:http://ocsp.example/,caIssuers;URI:http://ca.example/within.der"},
        {NID_crl_distribution_points, "URI:http://crl.example/within.crl"},
        {NID_certificate_policies, "2.23.140.1.2.1"},
        {NID_tlsfeature, "status_request"},
    };
  });
  for (bool trusted : {true, false}) {
    const Chain made = mirror_of({real.get(), within_.get()}, trusted);
    ASSERT_FALSE(made.empty());
    X509* it = made[0].get();
    EXPECT_EQ(X509_get_version(it), X509_get_version(real.get()));
    EXPECT_EQ(ASN1_INTEGER_cmp(X509_get0_serialNumber(it), X509_get0_serialNumber(real.get())), 0);
    EXPECT_EQ(X509_NAME_cmp(X509_get_subject_name(it), X509_get_subject_name(real.get())), 0);
    EXPECT_EQ(dates_of(it), dates_of(real.get()));
    ASSERT_EQ(X509_get_ext_count(it), X509_get_ext_count(real.get()));
    for (int i = 0; i < X509_get_ext_count(it); ++i) {
      const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(it, i)));
      EXPECT_EQ(kind, OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(real.get(), i))))
          << "in the same order";
      const bool is_of_keys =
          kind == NID_subject_key_identifier || kind == NID_authority_key_identifier;
      EXPECT_EQ(extension_of(it, kind) == extension_of(real.get(), kind), !is_of_keys)
          << OBJ_nid2sn(kind);
    }
  }
}

TEST_F(MirrorTest, KeyThatMayNotSignIsAllowedTo) {
  // The real one's RSA key encrypts, and nothing else: ours signs the handshake.
  RealCertificate real = server([](CertificatePlan& plan) {
    plan.extensions[1].second = "critical,keyEncipherment,dataEncipherment";
    plan.rsa_bits = 2048;
  });
  for (bool trusted : {true, false}) {
    const Chain made = mirror_of({real.get(), within_.get()}, trusted);
    ASSERT_FALSE(made.empty());
    EXPECT_EQ(X509_get_key_usage(made[0].get()),
              std::uint32_t{KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT});
    const int at = X509_get_ext_by_NID(made[0].get(), NID_key_usage, -1);
    EXPECT_EQ(X509_EXTENSION_get_critical(X509_get_ext(made[0].get(), at)), 1);
  }
}

TEST_F(MirrorTest, CertificateOfVersion1StaysOne) {
  RealCertificate real = server([](CertificatePlan& plan) {
    plan.version = X509_VERSION_1;
    plan.extensions = {};
  });
  for (bool trusted : {true, false}) {
    const Chain made = mirror_of({real.get(), within_.get()}, trusted);
    ASSERT_FALSE(made.empty());
    EXPECT_EQ(X509_get_version(made[0].get()), X509_VERSION_1);
    EXPECT_EQ(X509_get_ext_count(made[0].get()), 0);
  }
  EXPECT_EQ(common_verdict({real.get(), within_.get()}, true, {.trusts = {root_.get()}}),
            X509_V_OK);
}

TEST_F(MirrorTest, WeakSignatureStaysWeak) {
  for (const EVP_MD* digest : {EVP_sha1(), EVP_md5()}) {
    RealCertificate authority = make_real(
        {.subject = "weak", .extensions = authority_extensions(), .rsa_bits = 2048}, &root_);
    RealCertificate real = make_real(
        {.subject = kName, .extensions = server_extensions(kName), .digest = digest}, &authority);
    for (bool trusted : {true, false}) {
      const Chain made = mirror_of({real.get(), authority.get()}, trusted);
      ASSERT_FALSE(made.empty());
      EXPECT_EQ(digest_of(made[0].get()), NID_sha1) << OBJ_nid2sn(EVP_MD_get_type(digest));
    }
    const std::vector<X509*> met = {real.get(), authority.get()};
    EXPECT_EQ(common_verdict(met, true, {.trusts = {root_.get()}, .level = 1}),
              X509_V_ERR_CA_MD_TOO_WEAK);
    EXPECT_EQ(common_verdict(met, true, {.trusts = {root_.get()}}), X509_V_OK);
  }
  for (const EVP_MD* digest : {EVP_sha224(), EVP_sha256(), EVP_sha384(), EVP_sha512()}) {
    RealCertificate real = server([digest](CertificatePlan& plan) { plan.digest = digest; });
    EXPECT_EQ(digest_of(mirror_of({real.get(), within_.get()}, true).at(0).get()), NID_sha256);
  }
}

TEST_F(MirrorTest, SelfSignedNamesItselfAsTheRealOneDoes) {
  // Its two identifiers of keys are equal, whichever comes first.
  RealCertificate turned =
      make_real({.subject = kName,
                 .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                {NID_subject_key_identifier, "hash"},
                                {NID_authority_key_identifier, "keyid:always"}}});
  X509_EXTENSION* first = X509_delete_ext(turned.get(), 2);
  X509_add_ext(turned.get(), first, 0);
  X509_EXTENSION_free(first);
  ASSERT_GT(X509_sign(turned.get(), turned.key, EVP_sha256()), 0);
  turned.x509 = certificate_of(turned.der());
  RealCertificate real = self_signed();
  RealCertificate other = make_real({.subject = kName,
                                     .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                                    {NID_subject_key_identifier, "hash"}}});
  for (X509* one : {real.get(), turned.get(), other.get()}) {
    const Chain made = mirror_of({one}, false);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(X509_get_ext_count(made[0].get()), X509_get_ext_count(one));
    EXPECT_EQ(X509_verify(made[0].get(), leaf_key_.get()), 1);
    EXPECT_EQ(text_of(X509_get0_authority_key_id(made[0].get())),
              one != other.get() ? text_of(X509_get0_subject_key_id(made[0].get())) : "");
    EXPECT_EQ(common_verdict({one}, false, {.flags = X509_V_FLAG_X509_STRICT}),
              X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
  }
}

TEST_F(MirrorTest, RsaKeyIsShownAsOne) {
  Owned<EVP_PKEY> rsa(EVP_RSA_gen(1024));
  const Chain made = mirror(ders({own_.get()}), true, 0, rsa.get());
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(made[0].get()), rsa.get()), 1);
}

TEST_F(MirrorTest, WeakRsaKeysAreKnown) {
  for (const auto& [bits, expected] :
       std::vector<std::pair<int, int>>{{0, 0}, {512, 512}, {1024, 1024}, {2048, 0}}) {
    RealCertificate real = server([bits = bits](CertificatePlan& plan) { plan.rsa_bits = bits; });
    EXPECT_EQ(weak_rsa_bits(real.der()), expected) << bits;
  }
  EXPECT_EQ(weak_rsa_bits(""), 0);
  EXPECT_EQ(weak_rsa_bits("garbage"), 0);
}

// ---- chains as servers send them ----

TEST_F(MirrorTest, ChainInTheWrongOrderIsPutRight) {
  for (const auto& real : {std::vector{own_.get(), root_.get(), within_.get()},
                           std::vector{own_.get(), within_.get(), root_.get()}}) {
    const Chain made = mirror_of(real, false);
    ASSERT_EQ(made.size(), 3U);
    EXPECT_EQ(
        X509_NAME_cmp(X509_get_subject_name(made[1].get()), X509_get_subject_name(within_.get())),
        0);
    EXPECT_EQ(
        X509_NAME_cmp(X509_get_subject_name(made[2].get()), X509_get_subject_name(root_.get())), 0);
    EXPECT_EQ(common_verdict(real, false, {}), X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    EXPECT_EQ(common_verdict(real, true, {.trusts = {root_.get()}}), X509_V_OK);
  }
}

TEST_F(MirrorTest, WhoHasNothingToDoWithTheServerIsLeftOut) {
  RealCertificate stranger = make_authority("stranger");
  RealCertificate another = make_server("another.example", &stranger);
  const std::vector<X509*> real = {own_.get(), stranger.get(), within_.get(), another.get(),
                                   own_.get()};
  const Chain made = mirror_of(real, false);
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(X509_check_issued(made[1].get(), made[0].get()), X509_V_OK);
  EXPECT_EQ(common_verdict(real, false, {}), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_F(MirrorTest, TwoWhoSignedEachOtherComeToAnEnd) {
  CertificatePlan one{.subject = "one", .extensions = authority_extensions()};
  CertificatePlan two{.subject = "two", .extensions = authority_extensions()};
  RealCertificate first = make_real(one), second = make_real(two, &first);
  RealCertificate again = make_real(one, &second);  // the first one's key, by the second one
  RealCertificate real = make_server(kName, &again);
  const Chain made = mirror_of({real.get(), second.get(), again.get()}, false);
  EXPECT_EQ(made.size(), 3U);
}

TEST_F(MirrorTest, LongChainEnds) {
  std::vector<RealCertificate> all;
  all.push_back(make_authority("a0"));
  for (int i = 1; i < 40; ++i) all.push_back(make_authority("a" + std::to_string(i), &all.back()));
  std::vector<X509*> real;
  for (auto one = all.rbegin(); one != all.rend(); ++one) real.push_back(one->get());
  const Chain made = mirror_of(real, false);
  EXPECT_GT(made.size(), 8U);
  EXPECT_LE(made.size(), 16U);
}

TEST_F(MirrorTest, GarbageIsNoServer) {
  for (bool trusted : {true, false}) {
    EXPECT_TRUE(mirror(std::vector<std::string>{}, trusted).empty());
    EXPECT_TRUE(mirror({std::string()}, trusted).empty());
    EXPECT_TRUE(mirror({std::string("garbage")}, trusted).empty());
    EXPECT_TRUE(mirror({own_.der().substr(0, own_.der().size() / 2)}, trusted).empty());
    EXPECT_TRUE(mirror({std::string("garbage"), own_.der()}, trusted).empty())
        << "the second one is not the server's own";
  }
}

TEST_F(MirrorTest, GarbageBehindTheServersOwnIsLeftOut) {
  for (const std::string& garbage :
       {std::string(), std::string("garbage"), std::string(70'000, '\x30')}) {
    const Chain made = mirror({own_.der(), garbage, within_.der()}, false);
    ASSERT_EQ(made.size(), 2U);
  }
}

// ---- the verdict on it is the one on the real chain ----

TEST_F(MirrorTest, GoodServerIsGood) {
  const CheckPlan plan{.trusts = {root_.get()}, .name = kName};
  EXPECT_EQ(common_verdict({own_.get(), within_.get()}, true, plan), X509_V_OK);
  EXPECT_EQ(common_verdict({own_.get(), within_.get(), root_.get()}, true, plan), X509_V_OK);
  CheckPlan strict = plan;
  strict.flags = X509_V_FLAG_X509_STRICT;
  strict.level = 2;
  EXPECT_EQ(common_verdict({own_.get(), within_.get()}, true, strict), X509_V_OK);
}

TEST_F(MirrorTest, ServerOfAnotherNameIsOne) {
  const CheckPlan plan{.trusts = {root_.get()}, .name = "another.example"};
  EXPECT_EQ(common_verdict({own_.get(), within_.get()}, true, plan), X509_V_ERR_HOSTNAME_MISMATCH);
}

TEST_F(MirrorTest, ExpiredServerIsExpired) {
  RealCertificate real = server([](CertificatePlan& plan) { plan.ends = -kDay; });
  EXPECT_EQ(common_verdict({real.get(), within_.get()}, true, {.trusts = {root_.get()}}),
            X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_F(MirrorTest, ServerThatIsNotYetValidIsNot) {
  RealCertificate real = server([](CertificatePlan& plan) { plan.begins = kDay; });
  EXPECT_EQ(common_verdict({real.get(), within_.get()}, true, {.trusts = {root_.get()}}),
            X509_V_ERR_CERT_NOT_YET_VALID);
}

TEST_F(MirrorTest, SelfSignedServerIsOne) {
  RealCertificate real = self_signed();
  EXPECT_EQ(common_verdict({real.get()}, false, {}), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
  EXPECT_EQ(common_verdict({real.get()}, true, {.trusts = {real.get()}}), X509_V_OK);
}

TEST_F(MirrorTest, UnknownAuthorityIsNotKnown) {
  EXPECT_EQ(common_verdict({own_.get(), within_.get(), root_.get()}, false, {}),
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
  EXPECT_EQ(common_verdict({own_.get(), within_.get()}, false, {}),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  EXPECT_EQ(common_verdict({own_.get()}, false, {}), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_F(MirrorTest, LonelyServerWhoseAuthorityIsTrustedButNotSentCannotBeVerified) {
  // The store has the root, but nobody has what is between.
  EXPECT_EQ(common_verdict({own_.get()}, false, {.trusts = {root_.get()}}),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  // A program whose store may end with any certificate of a chain says it so.
  EXPECT_EQ(common_verdict({own_.get()}, false,
                           {.trusts = {root_.get()}, .flags = X509_V_FLAG_PARTIAL_CHAIN}),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_F(MirrorTest, AllThatACallbackHearsIsTheSame) {
  // Some go on from error to error, and look at them: 20, then 21.
  RealCertificate expired = server([](CertificatePlan& plan) { plan.ends = -kDay; });
  RealCertificate alone = self_signed();
  auto heard = [](const std::vector<X509*>& chain) {
    std::vector<std::pair<int, int>> all;  // depth and error
    Owned<X509_STORE> store(X509_STORE_new());
    STACK_OF(X509)* sent = sk_X509_new_null();
    for (X509* one : chain) sk_X509_push(sent, one);
    Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), chain.front(), sent);
    X509_STORE_CTX_set_default(context.get(), "ssl_server");
    X509_STORE_CTX_set_app_data(context.get(), &all);
    X509_STORE_CTX_set_verify_cb(context.get(), [](int good, X509_STORE_CTX* ctx) {
      auto* list = static_cast<std::vector<std::pair<int, int>>*>(X509_STORE_CTX_get_app_data(ctx));
      if (good != 1)
        list->emplace_back(X509_STORE_CTX_get_error_depth(ctx), X509_STORE_CTX_get_error(ctx));
      return 1;
    });
    X509_verify_cert(context.get());
    sk_X509_free(sent);
    ERR_clear_error();
    return all;
  };
  for (const auto& met : {std::vector{own_.get()}, std::vector{own_.get(), within_.get()},
                          std::vector{own_.get(), within_.get(), root_.get()},
                          std::vector{expired.get(), within_.get(), root_.get()},
                          std::vector{expired.get()}, std::vector{alone.get()}}) {
    EXPECT_EQ(heard(pointers(mirror_of(met, false))), heard(met));
  }
  EXPECT_THAT(heard(pointers(mirror_of({own_.get()}, false))),
              ElementsAre(std::pair(0, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
                          std::pair(0, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)));
}

TEST_F(MirrorTest, SmallKeyIsTooSmallWhereTheProgramSaysSo) {
  RealCertificate real = server([](CertificatePlan& plan) { plan.rsa_bits = 1024; });
  Owned<EVP_PKEY> key(EVP_RSA_gen(static_cast<unsigned>(weak_rsa_bits(real.der()))));
  const std::vector<X509*> met = {real.get(), within_.get()};
  for (const auto& [level, expected] :
       {std::pair(1, X509_V_OK), std::pair(2, X509_V_ERR_EE_KEY_TOO_SMALL)}) {
    const CheckPlan plan{.trusts = {root_.get()}, .level = level};
    EXPECT_EQ(verdict_of(met, plan), expected);
    const Chain made = mirror(ders(met), true, 0, key.get());
    CheckPlan ours = plan;
    ours.trusts.push_back(authority_.get());
    EXPECT_EQ(verdict_of(pointers(made), ours), expected);
  }
}

TEST_F(MirrorTest, CertificateForAnotherPurposeIsOne) {
  RealCertificate real =
      server([](CertificatePlan& plan) { plan.extensions[2].second = "clientAuth"; });
  EXPECT_EQ(common_verdict({real.get(), within_.get()}, true, {.trusts = {root_.get()}}),
            X509_V_ERR_INVALID_PURPOSE);
}

TEST_F(MirrorTest, CriticalExtensionThatNobodyKnowsIsOne) {
  const int unknown = OBJ_create("1.3.6.1.4.1.99999.1", "unknownToAll", "unknown to all");
  ASSERT_NE(unknown, NID_undef);
  RealCertificate real = server([](CertificatePlan&) {});
  Owned<X509> changed(X509_dup(real.get()));
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, reinterpret_cast<const unsigned char*>("\x05"), 2);
  X509_EXTENSION* extension = X509_EXTENSION_create_by_NID(nullptr, unknown, 1, value);
  X509_add_ext(changed.get(), extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(value);
  ASSERT_GT(X509_sign(changed.get(), within_.key, EVP_sha256()), 0);
  Owned<X509> read = certificate_of(der_of(changed.get()));
  EXPECT_EQ(common_verdict({read.get(), within_.get()}, true, {.trusts = {root_.get()}}),
            X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION);
}

// ---- met some time ago ----

TEST_F(MirrorTest, WhatWasValidThenIsValidNow) {
  const std::time_t now = std::time(nullptr);
  RealCertificate real = server([](CertificatePlan& plan) {
    plan.begins = -1000 * kDay;
    plan.ends = -900 * kDay;
  });
  const std::vector<X509*> met = {real.get(), within_.get(), root_.get()};
  const Chain made = mirror_of(met, true, now - 950 * kDay);
  EXPECT_EQ(verdict_of(pointers(made), {.trusts = {authority_.get()}, .name = kName}), X509_V_OK);
  EXPECT_EQ(date_of(X509_get0_notBefore(made.at(0).get())),
            date_of(X509_get0_notBefore(real.get())));
  // An authority that has expired since has not here.
  RealCertificate old = make_real({.subject = "old",
                                   .extensions = authority_extensions(),
                                   .begins = -2000 * kDay,
                                   .ends = -800 * kDay});
  RealCertificate by_old = make_real({.subject = kName,
                                      .extensions = server_extensions(kName),
                                      .begins = -1000 * kDay,
                                      .ends = -900 * kDay},
                                     &old);
  const Chain untrusted = mirror_of({by_old.get(), old.get()}, false, now - 950 * kDay);
  EXPECT_EQ(verdict_of(pointers(untrusted), {}), X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
  EXPECT_EQ(verdict_of(pointers(untrusted), {.trusts = {untrusted.back().get()}}), X509_V_OK)
      << "nothing else is wrong with it";
}

TEST_F(MirrorTest, WhatHadExpiredThenHasExpiredNow) {
  const std::time_t now = std::time(nullptr);
  RealCertificate real = server([](CertificatePlan& plan) { plan.ends = -20 * kDay; });
  const Chain made = mirror_of({real.get(), within_.get()}, true, now - 10 * kDay);
  EXPECT_EQ(verdict_of(pointers(made), {.trusts = {authority_.get()}}),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(dates_of(made.at(0).get()), dates_of(real.get()));
}

TEST_F(MirrorTest, WhatWasNotYetValidThenIsNotYetValidNow) {
  const std::time_t now = std::time(nullptr);
  RealCertificate real = server([](CertificatePlan& plan) {
    plan.begins = -100 * kDay;
    plan.ends = -50 * kDay;
  });
  const Chain made = mirror_of({real.get(), within_.get()}, true, now - 103 * kDay);
  const CheckPlan plan{.trusts = {authority_.get()}};
  EXPECT_EQ(verdict_of(pointers(made), plan), X509_V_ERR_CERT_NOT_YET_VALID);
  // As far from it as it was.
  CheckPlan later = plan;
  later.at = now + 3 * kDay - 3600;
  EXPECT_EQ(verdict_of(pointers(made), later), X509_V_ERR_CERT_NOT_YET_VALID);
  later.at = now + 3 * kDay + 3600;
  EXPECT_EQ(verdict_of(pointers(made), later), X509_V_OK);
}

TEST_F(MirrorTest, WhatIsMetByAClockThatIsBehindTheRecordingIsAsItWasThere) {
  // A program whose time stands still plays what was recorded by one in which it went on.
  const std::time_t now = std::time(nullptr);
  RealCertificate later = server([](CertificatePlan& plan) {
    plan.begins = 300 * kDay;
    plan.ends = 400 * kDay;
  });
  const CheckPlan plan{.trusts = {authority_.get()}};
  const std::vector<X509*> met = {later.get(), within_.get()};
  EXPECT_EQ(verdict_of(pointers(mirror_of(met, true, now + 350 * kDay)), plan), X509_V_OK);
  EXPECT_EQ(verdict_of(pointers(mirror_of(met, true, now + 500 * kDay)), plan),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(verdict_of(pointers(mirror_of(met, true, now + 200 * kDay)), plan),
            X509_V_ERR_CERT_NOT_YET_VALID);
}

TEST_F(MirrorTest, OfTheLastMomentIsWhatOpenSslSays) {
  const std::time_t now = std::time(nullptr);
  RealCertificate real = server([](CertificatePlan&) {});
  for (std::int64_t edge : {-30 * kDay, 60 * kDay}) {
    for (std::int64_t by : {-2, 2}) {
      const std::time_t at = now + edge + by;
      const int then =
          verdict_of({real.get(), within_.get()}, {.trusts = {root_.get()}, .flags = 0, .at = at});
      if (then != X509_V_OK && then != X509_V_ERR_CERT_HAS_EXPIRED &&
          then != X509_V_ERR_CERT_NOT_YET_VALID)
        continue;  // the authorities' own dates
      const Chain made = mirror_of({real.get(), within_.get()}, true, at);
      EXPECT_EQ(verdict_of(pointers(made), {.trusts = {authority_.get()}}), then) << edge << by;
    }
  }
}

}  // namespace
}  // namespace cassette
