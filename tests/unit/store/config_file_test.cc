// Configuration files that are made to do harm: each is one clear sentence. What the keys mean is in
// settings_test.cc.
#include "store/settings/config_file.h"

#include <gtest/gtest.h>

namespace cassette {
namespace {

std::string problem_of(const std::string& text) {
  auto read = parse_config_file(text, "f.yaml");
  return read ? "" : read.error().message;
}

TEST(ConfigFile, AliasesThatSwellAreRefused) {
  // An alias of a long value for each of many items: a megabyte would have become a terabyte.
  std::string text = "session: &a " + std::string(1 << 20, 'x') + "\nignore_hosts: [";
  for (int i = 0; i < 100000; ++i) text += "*a,";
  text += "]\n";
  EXPECT_EQ(problem_of(text),
            "f.yaml:2: aliases that would swell this file to many times its size");
}

TEST(ConfigFile, DeepNestingIsRefused) {
  for (const std::string& text :
       {"mode: " + std::string(100000, '['), "mode: " + std::string(100000, '{')}) {
    EXPECT_EQ(problem_of(text), "f.yaml:1: nested more than 100 deep, which no cassette is");
  }
}

TEST(ConfigFile, BytesThatAreNoTextAreRefused) {
  EXPECT_EQ(problem_of("mode: none\nsession: \xFF\n"),
            "f.yaml:2: bytes that are not UTF-8, which YAML has to be");
  // yaml-cpp ended its input there, silently: what followed was not in force.
  EXPECT_EQ(problem_of(std::string("mode: none\n\4mode: all\n")),
            "f.yaml:2: the control character 0x04, which YAML does not allow");
  EXPECT_EQ(problem_of(std::string("mode: no\0ne\n", 12)),
            "f.yaml:1: the control character 0x00, which YAML does not allow");
}

TEST(ConfigFile, ASecondDocumentIsRefused) {
  EXPECT_EQ(problem_of("mode: none\n---\nmode: all\n"),
            "f.yaml:3: a second document (---), where one is expected");
}

TEST(ConfigFile, AnUnknownKeyIsShownInShort) {
  const std::string problem = problem_of(std::string(1000, 'k') + ": x\n");
  EXPECT_LT(problem.size(), 200u);
  EXPECT_NE(problem.find("unknown key \"kkk"), std::string::npos);
}

TEST(ConfigFile, AByteOrderMarkAndCarriageReturnsAreNoMatter) {
  auto read = parse_config_file("\xEF\xBB\xBFmode: none\r\nsession: a\r\n", "f.yaml");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->at(0).text, "none");
  EXPECT_EQ(read->at(1).text, "a");
}

}  // namespace
}  // namespace cassette
