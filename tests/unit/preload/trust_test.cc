// Whom a program trusts, as far as files tell.
#include "preload/engine/trust/trust.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "preload/hooks/files/bundles.h"

namespace cassette {
namespace {

using List = std::vector<std::string>;

class TrustTest : public ::testing::Test {
 protected:
  TrustTest() { variables.clear(); }

  void begin(const std::string& further = {}) { trust_.begin(variable, further); }
  static const char* variable(const char* name) {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  }
  List files() const { return trust_.anchors().files; }
  List certificates() const { return trust_.anchors().certificates; }

  /// What this system has, if it has anything; then these.
  static List system_and(const List& more) {
    List all = Trust().anchors().files;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static List before_system(List first) {
    for (const std::string& file : Trust().anchors().files) first.push_back(file);
    return first;
  }

  static std::map<std::string, std::string> variables;
  Trust trust_;
};
std::map<std::string, std::string> TrustTest::variables;

// ---- what the environment and the settings say ----

TEST_F(TrustTest, IsTheSystemsWhenNothingElseIsSaid) {
  begin();
  EXPECT_EQ(files(), system_and({}));
  EXPECT_LE(files().size(), 1U) << "the first that is there";
  EXPECT_EQ(certificates(), List{});
}

TEST_F(TrustTest, AVariableTakesThePlaceOfTheSystems) {
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name) {
    if (std::string(*name) == "NODE_EXTRA_CA_CERTS") continue;
    Trust trust;
    variables = {{*name, "/mine.pem"}};
    trust.begin(variable, "");
    EXPECT_EQ(trust.anchors().files, List{"/mine.pem"}) << *name;
  }
}

TEST_F(TrustTest, NodesVariableAddsToTheSystems) {
  variables = {{"NODE_EXTRA_CA_CERTS", "/extra.pem"}};
  begin();
  EXPECT_EQ(files(), system_and({"/extra.pem"}));
}

TEST_F(TrustTest, NodesVariableAddsToWhatAnotherChooses) {
  variables = {{"NODE_EXTRA_CA_CERTS", "/extra.pem"}, {"SSL_CERT_FILE", "/mine.pem"}};
  begin();
  EXPECT_EQ(files(), (List{"/mine.pem", "/extra.pem"}));
}

TEST_F(TrustTest, SeveralVariablesCountTogether) {
  variables = {{"SSL_CERT_FILE", "/a.pem"}, {"CURL_CA_BUNDLE", "/b.pem"}, {"PIP_CERT", "/c.pem"}};
  begin();
  EXPECT_EQ(files(), (List{"/a.pem", "/b.pem", "/c.pem"}));
}

TEST_F(TrustTest, EmptyVariablesSayNothing) {
  variables = {{"SSL_CERT_FILE", ""}, {"NODE_EXTRA_CA_CERTS", ""}};
  begin();
  EXPECT_EQ(files(), system_and({}));
}

TEST_F(TrustTest, VariablesOfOtherNamesSayNothing) {
  variables = {{"SSL_CERT_DIR", "/a"}, {"HOME", "/b"}};
  begin();
  EXPECT_EQ(files(), system_and({}));
}

TEST_F(TrustTest, TheFurtherFileAlwaysCounts) {
  begin("/further.pem");
  EXPECT_EQ(files(), system_and({"/further.pem"}));
  trust_.saw_certificates({"DER"}, true);
  EXPECT_EQ(files(), List{"/further.pem"});
  EXPECT_EQ(certificates(), List{"DER"});
}

TEST_F(TrustTest, TheFurtherFileCountsWithWhatTheEnvironmentChooses) {
  variables = {{"SSL_CERT_FILE", "/mine.pem"}, {"NODE_EXTRA_CA_CERTS", "/extra.pem"}};
  begin("/further.pem");
  EXPECT_EQ(files(), (List{"/mine.pem", "/further.pem", "/extra.pem"}));
}

TEST_F(TrustTest, TheSessionsAuthorityIsNobodyToTrust) {
  variables = {{"NODE_EXTRA_CA_CERTS", kAuthorityFile}};
  begin();
  EXPECT_EQ(files(), system_and({}));
}

TEST_F(TrustTest, TheSessionsAuthorityChoosesNothingUnderAnyName) {
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name)
    variables[*name] = kAuthorityFile;
  begin("/further.pem");
  EXPECT_EQ(files(), system_and({"/further.pem"}));
}

TEST_F(TrustTest, EachFileCountsOnce) {
  variables = {{"SSL_CERT_FILE", "/mine.pem"},
               {"CURL_CA_BUNDLE", "/mine.pem"},
               {"NODE_EXTRA_CA_CERTS", "/mine.pem"}};
  begin("/mine.pem");
  trust_.saw_file("/mine.pem", true);
  EXPECT_EQ(files(), List{"/mine.pem"});
}

TEST_F(TrustTest, TheSystemsFileCountsOnceWhoeverNamesIt) {
  const List system = system_and({});
  if (system.empty()) GTEST_SKIP() << "this system has none";
  variables = {{"NODE_EXTRA_CA_CERTS", system[0]}};
  begin(system[0]);
  trust_.saw_file(system[0], false);
  EXPECT_EQ(files(), system);
}

// ---- what the program was seen to open ----

TEST_F(TrustTest, AFileThatWasSeenCountsWithTheSystems) {
  begin();
  trust_.saw_file("/seen.pem", false);
  trust_.saw_file("/too.pem", false);
  trust_.saw_file("/seen.pem", false);
  EXPECT_EQ(files(), before_system({"/seen.pem", "/too.pem"}));
}

TEST_F(TrustTest, AFileThatWasSeenDoesNotCountWhereTheUserChose) {
  variables = {{"SSL_CERT_FILE", "/mine.pem"}};
  begin();
  trust_.saw_file("/seen.pem", false);
  trust_.saw_certificates({"DER"}, false);
  EXPECT_EQ(files(), List{"/mine.pem"});
  EXPECT_EQ(certificates(), List{});
}

TEST_F(TrustTest, AChosenFileLeavesAsideWhatWasSeenBefore) {
  begin();
  trust_.saw_file("/seen.pem", false);
  trust_.saw_certificates({"seen"}, false);
  trust_.saw_file("/chosen.pem", true);
  EXPECT_EQ(files(), List{"/chosen.pem"});
  EXPECT_EQ(certificates(), List{});
}

TEST_F(TrustTest, CertificatesThatWereSeenCountWithTheSystems) {
  begin();
  trust_.saw_certificates({"one", "two", "one"}, false);
  trust_.saw_certificates({"two", "three"}, false);
  EXPECT_EQ(files(), system_and({}));
  EXPECT_EQ(certificates(), (List{"one", "two", "three"}));
}

TEST_F(TrustTest, ChosenCertificatesTakeThePlaceOfTheSystems) {
  begin();
  trust_.saw_certificates({"seen"}, false);
  trust_.saw_certificates({"chosen", "chosen"}, true);
  EXPECT_EQ(files(), List{});
  EXPECT_EQ(certificates(), List{"chosen"});
}

TEST_F(TrustTest, ChosenCertificatesJoinChosenFiles) {
  variables = {{"SSL_CERT_FILE", "/mine.pem"}};
  begin();
  trust_.saw_certificates({"chosen"}, true);
  trust_.saw_file("/other.pem", true);
  EXPECT_EQ(files(), (List{"/mine.pem", "/other.pem"}));
  EXPECT_EQ(certificates(), List{"chosen"});
}

TEST_F(TrustTest, NoCertificatesChooseNothing) {
  begin();
  trust_.saw_certificates({}, false);
  EXPECT_EQ(files(), system_and({}));
  EXPECT_EQ(certificates(), List{});
}

TEST_F(TrustTest, CertificatesAreBytes) {
  const std::string zero("a\0b", 3), other("a\0c", 3);
  begin();
  trust_.saw_certificates({zero, other, "a"}, false);
  EXPECT_EQ(certificates(), (List{zero, other, "a"}));
}

// ---- threads ----

TEST_F(TrustTest, IsForAllThreads) {
  constexpr int kThreads = 8, kFiles = 50;
  begin("/further.pem");
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, &wrong, thread] {
      for (int i = 0; i < kFiles; ++i) {
        const std::string shared = "/" + std::to_string(i);
        trust_.saw_file(shared, false);
        trust_.saw_certificates({shared, std::to_string(thread)}, false);
        const Anchors anchors = trust_.anchors();
        auto has = [](const List& list, const std::string& item) {
          return std::count(list.begin(), list.end(), item) == 1;
        };
        if (!has(anchors.files, shared) || !has(anchors.certificates, shared) ||
            anchors.files.back() != "/further.pem")
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(files().size(), kFiles + system_and({"/further.pem"}).size());
  EXPECT_EQ(certificates().size(), static_cast<std::size_t>(kFiles + kThreads));
}

}  // namespace
}  // namespace cassette
