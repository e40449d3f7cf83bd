// What the files of authorities say of a server's chain.
#include "preload/tls/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/preload/certificates.h"
#include "tests/unit/preload/tls_ends.h"

namespace cassette {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kName[] = "api.example.com";
constexpr char kAddress[] = "192.0.2.7";

class VerdictTest : public TlsTest {
 protected:
  void SetUp() override {
    TlsTest::SetUp();
    root_ = make_authority("root");
    within_ = make_authority("within", &root_);
    own_ = make_server(kName, &within_);
    ERR_clear_error();
  }
  void TearDown() override {
    EXPECT_EQ(ERR_peek_error(), 0U) << "left in OpenSSL's list: " << openssl_problem();
    TlsTest::TearDown();
  }

  static Anchors trusting(const std::vector<const RealCertificate*>& certificates) {
    Anchors anchors;
    for (const RealCertificate* one : certificates) anchors.certificates.push_back(one->der());
    return anchors;
  }
  std::vector<std::string> chain() const { return {own_.der(), within_.der()}; }
  ChainVerdict judge(const std::vector<std::string>& chain) const {
    return judge_chain(chain, {kName}, trusting({&root_}), 0);
  }

  RealCertificate root_, within_, own_;
};

TEST_F(VerdictTest, OrdinaryServerIsOrdinary) {
  for (const auto& sent : {chain(), std::vector{own_.der(), within_.der(), root_.der()},
                           std::vector{own_.der(), root_.der(), within_.der()}}) {
    const ChainVerdict verdict = judge(sent);
    EXPECT_TRUE(verdict.is_trusted);
    EXPECT_TRUE(verdict.is_in_time);
    EXPECT_THAT(verdict.names, ElementsAre(kName));
    EXPECT_EQ(verdict.problem, "");
    EXPECT_TRUE(verdict.is_ordinary());
  }
}

TEST_F(VerdictTest, ServerIsTrustedByTheGivenFiles) {
  RealCertificate other = make_authority("other");
  const std::string good = write_certificates(folder_ + "/good.pem", {other.get(), root_.get()});
  const std::string bad = write_certificates(folder_ + "/bad.pem", {other.get()});
  const std::string none = folder_ + "/none.pem";
  const std::string garbage = folder_ + "/garbage.pem";
  std::ofstream(garbage) << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const auto& [files, trusted] :
       std::vector<std::pair<std::vector<std::string>, bool>>{{{good}, true},
                                                              {{none, garbage, bad, good}, true},
                                                              {{}, false},
                                                              {{none}, false},
                                                              {{garbage}, false},
                                                              {{bad}, false}}) {
    Anchors anchors;
    anchors.files = files;
    const ChainVerdict verdict = judge_chain(chain(), {kName}, anchors, 0);
    EXPECT_EQ(verdict.is_trusted, trusted);
    EXPECT_EQ(verdict.problem.empty(), trusted) << verdict.problem;
    EXPECT_TRUE(verdict.is_in_time) << "that is told apart";
    EXPECT_THAT(verdict.names, ElementsAre(kName));
    EXPECT_EQ(verdict.is_ordinary(), trusted);
  }
}

TEST_F(VerdictTest, ServerIsTrustedByTheGivenCertificates) {
  RealCertificate other = make_authority("other");
  EXPECT_TRUE(judge_chain(chain(), {kName}, trusting({&other, &root_}), 0).is_ordinary());
  EXPECT_FALSE(judge_chain(chain(), {kName}, trusting({&other}), 0).is_trusted);
  Anchors anchors = trusting({&root_});
  anchors.certificates.insert(anchors.certificates.begin(), "garbage");
  EXPECT_TRUE(judge_chain(chain(), {kName}, anchors, 0).is_ordinary());
}

TEST_F(VerdictTest, CertificateForAnotherNameIsNoticed) {
  for (const auto& [wanted, given, good] : std::vector<std::tuple<std::string, std::string, bool>>{
           {kName, "DNS:api.example.com", true},
           {"API.Example.COM", "DNS:api.example.com", true},
           {kName, "DNS:*.example.com", true},
           {kName, "DNS:*.com", false},
           {kName, "DNS:a*.example.com", false},
           {kName, "DNS:example.com", false},
           {kName, "DNS:another.test", false},
           {kAddress, "IP:192.0.2.7", true},
           {kAddress, "IP:192.0.2.8", false},
           {kAddress, "DNS:192.0.2.7", false},
           {"2001:db8::7", "IP:2001:db8:0:0::7", true},
           {"2001:db8::7", "DNS:api.example.com", false},
       }) {
    SCOPED_TRACE(wanted + " gets " + given);
    RealCertificate own =
        make_real({.subject = "x", .extensions = {{NID_subject_alt_name, given}}}, &within_);
    const ChainVerdict verdict =
        judge_chain({own.der(), within_.der()}, {wanted}, trusting({&root_}), 0);
    EXPECT_TRUE(verdict.is_trusted);
    EXPECT_EQ(!verdict.names.empty(), good);
    EXPECT_EQ(verdict.is_ordinary(), good);
    EXPECT_EQ(verdict.problem, good ? "" : "it is for another name");
  }
}

TEST_F(VerdictTest, OfSeveralNamesThoseThatFitAreTold) {
  RealCertificate own = make_real(
      {.subject = "x", .extensions = {{NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1"}}},
      &within_);
  const ChainVerdict verdict = judge_chain(
      {own.der(), within_.der()}, {"h.example", "127.0.0.1", "localhost"}, trusting({&root_}), 0);
  EXPECT_THAT(verdict.names, ElementsAre("127.0.0.1", "localhost"));
  EXPECT_TRUE(verdict.is_ordinary());
}

TEST_F(VerdictTest, DatesOfTheServersOwnAreToldApart) {
  for (const auto& [begins, ends] : {std::pair(-30 * kDay, -kDay), std::pair(kDay, 30 * kDay)}) {
    RealCertificate own = make_real(
        {.subject = kName, .extensions = server_extensions(kName), .begins = begins, .ends = ends},
        &within_);
    const ChainVerdict verdict = judge({own.der(), within_.der()});
    EXPECT_TRUE(verdict.is_trusted) << "the program looks at the dates itself";
    EXPECT_FALSE(verdict.is_in_time);
    EXPECT_FALSE(verdict.is_ordinary());
    EXPECT_EQ(verdict.problem, "it has expired, or is not valid yet");
    // As of a day on which it was.
    const std::int64_t then = std::time(nullptr) + (begins + ends) / 2;
    const ChainVerdict at =
        judge_chain({own.der(), within_.der()}, {kName}, trusting({&root_}), then);
    EXPECT_TRUE(at.is_ordinary()) << at.problem;
  }
}

TEST_F(VerdictTest, AuthorityThatHasExpiredIsNotTrusted) {
  RealCertificate expired = make_real(
      {.subject = "expired", .extensions = authority_extensions(), .ends = -kDay}, &root_);
  RealCertificate own = make_server(kName, &expired);
  const ChainVerdict verdict = judge({own.der(), expired.der()});
  EXPECT_FALSE(verdict.is_trusted) << "that does not show in a certificate of ours";
  EXPECT_TRUE(verdict.is_in_time);
  EXPECT_EQ(verdict.problem, "certificate has expired");
}

TEST_F(VerdictTest, WeakAuthorityWithinIsNotTrusted) {
  RealCertificate small = make_real(
      {.subject = "small", .extensions = authority_extensions(), .rsa_bits = 1024}, &root_);
  RealCertificate old = make_real(
      {.subject = "old", .extensions = authority_extensions(), .digest = EVP_sha1()}, &root_);
  for (const RealCertificate* weak : {&small, &old}) {
    RealCertificate own = make_server(kName, weak);
    EXPECT_FALSE(judge({own.der(), weak->der()}).is_trusted);
  }
  RealCertificate strong = make_real(
      {.subject = "strong", .extensions = authority_extensions(), .rsa_bits = 2048}, &root_);
  RealCertificate own = make_server(kName, &strong);
  EXPECT_TRUE(judge({own.der(), strong.der()}).is_ordinary());
  // Whom a program trusts it trusts, however weak.
  RealCertificate weak_root = make_real({.subject = "weak root",
                                         .extensions = authority_extensions(),
                                         .digest = EVP_sha1(),
                                         .rsa_bits = 1024});
  RealCertificate by_it = make_server(kName, &weak_root);
  EXPECT_TRUE(judge_chain({by_it.der()}, {kName}, trusting({&weak_root}), 0).is_ordinary());
}

TEST_F(VerdictTest, SelfSignedServerIsTrustedByItself) {
  RealCertificate own = make_real(
      {.subject = kName, .extensions = {{NID_subject_alt_name, std::string("DNS:") + kName}}});
  EXPECT_TRUE(judge_chain({own.der()}, {kName}, trusting({&own}), 0).is_ordinary());
  const ChainVerdict verdict = judge({own.der()});
  EXPECT_FALSE(verdict.is_trusted);
  EXPECT_THAT(verdict.problem, HasSubstr("self-signed"));
}

TEST_F(VerdictTest, WhoSendsTooLittleIsNotTrusted) {
  const ChainVerdict verdict = judge({own_.der()});
  EXPECT_FALSE(verdict.is_trusted);
  EXPECT_THAT(verdict.problem, HasSubstr("unable to get local issuer"));
}

TEST_F(VerdictTest, AuthorityForAnotherPurposeIsNotTrusted) {
  auto extensions = authority_extensions();
  extensions.emplace_back(NID_ext_key_usage, "emailProtection");
  RealCertificate mail = make_real({.subject = "mail", .extensions = extensions}, &root_);
  RealCertificate own = make_server(kName, &mail);
  EXPECT_FALSE(judge({own.der(), mail.der()}).is_trusted);
}

TEST_F(VerdictTest, PurposeOfTheServersOwnIsForTheProgramToSee) {
  auto extensions = server_extensions(kName);
  extensions[2].second = "clientAuth";
  RealCertificate own = make_real({.subject = kName, .extensions = extensions}, &within_);
  const ChainVerdict verdict = judge({own.der(), within_.der()});
  EXPECT_FALSE(verdict.is_trusted);
  EXPECT_TRUE(verdict.is_anchored) << "a mirrored one has the same";
}

TEST_F(VerdictTest, ServerWithoutACertificateIsNotTrusted) {
  for (const std::vector<std::string>& sent :
       {std::vector<std::string>{}, std::vector<std::string>{"garbage"},
        std::vector<std::string>{"", own_.der()},
        std::vector<std::string>{"garbage", own_.der()}}) {
    const ChainVerdict verdict = judge(sent);
    EXPECT_FALSE(verdict.is_trusted);
    EXPECT_FALSE(verdict.is_in_time);
    EXPECT_THAT(verdict.names, IsEmpty());
    EXPECT_EQ(verdict.problem, "it sent no certificate");
  }
}

}  // namespace
}  // namespace cassette
