// A secret that an answer gave away is known again wherever the program uses it, and is in no file.
#include "store/redaction/known_secrets.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "store/redaction/redaction.h"

namespace cassette {
namespace {

constexpr char kToken[] = "tok-4711/abc+def==";
constexpr char kPlain[] = "s3cr3t-t0ken-0123";
constexpr char kJwt[] =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";

Redactor by_default() {
  return {default_filter_headers(), default_filter_query(), default_filter_body()};
}

std::string redacted(const KnownSecrets& known, std::string_view text) {
  return apply_edits(text, known.find(text));
}

std::string hexadecimal(const KeyedDigest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

class KnownSecretsFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/cassette-secrets-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    unlink(path().c_str());
    EXPECT_EQ(rmdir(directory_.c_str()), 0) << "no other file is left";
  }
  std::string path() const { return directory_ + "/secrets"; }
  std::string bytes() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string directory_;
};

// From another implementation of BLAKE2s.
TEST(KeyedHash, IsThatOfRfc7693) {
  HashKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(hexadecimal(keyed_hash(key, "")), "af4e5d3bb230e9ff9096ca6f7c501f76");
  EXPECT_EQ(hexadecimal(keyed_hash(key, "abc")), "75296c2d2c0f51210b383f386bc8b1ff");
  EXPECT_EQ(hexadecimal(keyed_hash(key, std::string(64, 'x'))), "670417ccfb7d546c3571ae010908a601");
  EXPECT_EQ(hexadecimal(keyed_hash(key, std::string(129, 'y'))),
            "c2db8547e355b233f131d881b36a909c");
  EXPECT_NE(make_hash_key(), make_hash_key());
}

TEST(KnownSecrets, AreFoundWhereverTheyStand) {
  KnownSecrets known("");
  EXPECT_FALSE(known.refresh());
  known.remember({kToken, kPlain, kJwt});
  EXPECT_TRUE(known.refresh());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"/session/s3cr3t-t0ken-0123/items", "/session/<redacted>/items"},
      {"/s3cr3t%2Dt0ken-0123", "/<redacted>"},
      {"/tok-4711%2Fabc%2bdef%3D%3D?x=1", "/<redacted>?x=1"},
      {"/tok-4711/abc+def==", "/<redacted>"},
      {"/p?sid=tok-4711%2Fabc%2Bdef%3D%3D&b=s3cr3t-t0ken-0123", "/p?sid=<redacted>&b=<redacted>"},
      {"/p;v=s3cr3t-t0ken-0123", "/p;v=<redacted>"},
      {"Session s3cr3t-t0ken-0123, x", "Session <redacted>, x"},
      {R"({"a":"s3cr3t-t0ken-0123"})", R"({"a":"<redacted>"})"},
      {R"({"a":"tok-4711\/abc\u002bdef=="})", R"({"a":"<redacted>"})"},
      {"<a>s3cr3t-t0ken-0123</a>", "<a><redacted></a>"},
      {std::string("/p/") + kJwt, "/p/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.cmVkYWN0ZWQ"},
      {"/s3cr3t-t0ken-01234", "/s3cr3t-t0ken-01234"},
      {"/xs3cr3t-t0ken-0123", "/xs3cr3t-t0ken-0123"},
      {"", ""},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(redacted(known, text), expected);
    EXPECT_EQ(redacted(known, expected), expected) << "twice is as once";
  }
  EXPECT_EQ(known.redact_uri("http://s3cr3t-t0ken-0123.test/s3cr3t-t0ken-0123"),
            "http://s3cr3t-t0ken-0123.test/<redacted>");
}

TEST(KnownSecrets, WhatIsNoSecretIsNotRemembered) {
  KnownSecrets known("");
  known.remember({"", "1234567", "short", "required", "two words", "<redacted>", "********",
                  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.cmVkYWN0ZWQ"});
  EXPECT_FALSE(known.refresh());
}

TEST_F(KnownSecretsFile, HoldsNoSecret) {
  KnownSecrets known(path());
  EXPECT_FALSE(known.refresh());
  EXPECT_EQ(bytes(), "") << "there is none before the first secret";
  known.remember({kPlain});
  EXPECT_EQ(bytes().size(), 96u);
  EXPECT_EQ(bytes().find("s3cr3t"), std::string::npos);
  known.remember({kPlain});
  EXPECT_EQ(bytes().size(), 96u) << "once is enough";
}

TEST_F(KnownSecretsFile, AnotherProcessKnowsThemToo) {
  KnownSecrets known(path());
  const pid_t child = fork();
  if (child == 0) {
    KnownSecrets own(path());
    own.remember({kPlain});
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(known.refresh());
  EXPECT_EQ(redacted(known, "/s3cr3t-t0ken-0123"), "/<redacted>");
}

TEST_F(KnownSecretsFile, ManyWriteAtOnce) {
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int n = 0; n < 8; ++n) {
    threads.emplace_back([this, n] {
      KnownSecrets known(path());
      for (int i = 0; i < 50; ++i)
        known.remember({"secret-" + std::to_string(n) + "-" + std::to_string(i)});
    });
  }
  for (std::thread& thread : threads) thread.join();
  KnownSecrets known(path());
  ASSERT_TRUE(known.refresh());
  for (int n = 0; n < 8; ++n) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(redacted(known, "/secret-" + std::to_string(n) + "-" + std::to_string(i)),
                "/<redacted>");
    }
  }
}

TEST_F(KnownSecretsFile, OneThatIsDamagedOrCannotBeMadeLeavesTheProcessWithItsOwn) {
  std::ofstream(path())
      << "something else, of more than sixty-four bytes, that nobody could have meant";
  KnownSecrets damaged(path());
  damaged.remember({kPlain});
  EXPECT_EQ(redacted(damaged, "/s3cr3t-t0ken-0123"), "/<redacted>");
  KnownSecrets nowhere(directory_ + "/missing/secrets");
  nowhere.remember({kPlain});
  EXPECT_EQ(redacted(nowhere, "/s3cr3t-t0ken-0123"), "/<redacted>");
}

TEST(Redaction, ASecretOfAnAnswerIsTakenOutOfLaterRequests) {
  KnownSecrets known("");
  const Redactor redactor = by_default();
  Interaction login;
  login.uri = "http://h/login";
  login.response.headers.add("Location", "/session/s3cr3t-t0ken-0123");
  login.response.headers.add("X-Auth-Token", "header-t0ken");
  login.response.headers.add("Set-Cookie", "sid=c00kie-0123456789; Path=/");
  login.response.body =
      R"({"access_token":"s3cr3t-t0ken-0123","links":{"self":"/s/s3cr3t-t0ken-0123"}})";
  EXPECT_EQ(redactor.redact(login, &known).response_values, 3u);
  EXPECT_EQ(login.response.body,
            R"({"access_token":"<redacted>","links":{"self":"/s/<redacted>"}})");
  EXPECT_EQ(login.response.headers.find("Location"), "/session/<redacted>");

  Interaction use;
  use.uri = "http://h/session/s3cr3t-t0ken-0123?sid=c00kie-0123456789&t=header-t0ken";
  use.request.headers.add("Host", "h");
  use.request.headers.add("X-Whatever", "v1 s3cr3t-t0ken-0123");
  use.request.headers.add("Content-Length", "38");
  use.request.body = R"({"session":{"id":"s3cr3t-t0ken-0123"}})";
  use.response.body = "hello s3cr3t-t0ken-0123";
  use.chunks = {{0, 1}, {6, 2}};
  redactor.redact(use, &known);
  EXPECT_EQ(use.uri, "http://h/session/<redacted>?sid=<redacted>&t=<redacted>");
  EXPECT_EQ(use.request.headers.find("X-Whatever"), "v1 <redacted>");
  EXPECT_EQ(use.request.body, R"({"session":{"id":"<redacted>"}})");
  EXPECT_EQ(use.request.headers.find("Content-Length"), "31");
  EXPECT_EQ(use.response.body, "hello <redacted>");
  EXPECT_EQ(use.chunks, (std::vector<Piece>{{0, 1}, {6, 2}}));
}

TEST(Redaction, ASecretOfARequestAloneIsNotLookedFor) {
  KnownSecrets known("");
  Interaction i;
  i.uri = "http://h/user/hunter2hunter2?password=hunter2hunter2";
  by_default().redact(i, &known);
  EXPECT_EQ(i.uri, "http://h/user/hunter2hunter2?password=<redacted>");
}

}  // namespace
}  // namespace cassette
