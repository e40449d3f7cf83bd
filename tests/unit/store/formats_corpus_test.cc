// Real cassettes of other projects: each loads with the number of interactions and the bodies that the
// reference loader of its format finds, or is refused where that one refuses it. What is loaded also
// survives being saved.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <iostream>

#include "store/cassette.h"
#include "tests/unit/store/formats_fixture.h"

namespace cassette {
namespace {

struct Row {
  std::string path, format, interactions, sha256, status;
};

std::string corpus() {
  const char* given = std::getenv("CASSETTE_CORPUS");
  return given != nullptr && *given != '\0' ? given : "../shared/corpus";
}

std::vector<Row> rows() {
  std::vector<Row> result;
  std::ifstream in(corpus() + "/expected.tsv");
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    Row row;
    for (std::string* field :
         {&row.path, &row.format, &row.interactions, &row.sha256, &row.status}) {
      std::getline(fields, *field, '\t');
    }
    if (row.format == "vcrpy-yaml" || row.format == "vcrpy-json") result.push_back(row);
  }
  return result;
}

class CorpusTest : public DirectoryTest {
 protected:
  void SetUp() override {
    DirectoryTest::SetUp();
    rows_ = rows();
    if (!rows_.empty()) return;
    std::cerr << "SKIPPED: no corpus of cassettes at " << corpus()
              << "; set CASSETTE_CORPUS to it\n";
    GTEST_SKIP();
  }

  /// Of all response bodies, one after the other.
  std::string sha256(const Cassette& cassette) {
    std::string bodies;
    for (const Interaction& interaction : cassette.interactions)
      bodies += interaction.response.body;
    write("bodies", bodies);
    std::array<char, 65> digits{};
    FILE* pipe = popen(("sha256sum < " + path("bodies")).c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    EXPECT_EQ(std::fread(digits.data(), 1, 64, pipe), 64u);
    pclose(pipe);
    return digits.data();
  }

  std::vector<Row> rows_;
};

TEST_F(CorpusTest, LoadsWhatVcrpyLoads) {
  for (const Row& row : rows_) {
    SCOPED_TRACE(row.path);
    auto loaded = load_cassette(corpus() + "/" + row.path);
    if (row.status == "error") {
      ASSERT_FALSE(loaded.ok());
      EXPECT_EQ(loaded.error().message.find(corpus() + "/" + row.path + ":"), 0u);
      continue;
    }
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(std::to_string(loaded->interactions.size()), row.interactions);
    EXPECT_EQ(sha256(*loaded), row.sha256);
  }
}

TEST_F(CorpusTest, SurvivesEveryForm) {
  int number = 0;
  for (const Row& row : rows_) {
    if (row.status != "ok") continue;
    SCOPED_TRACE(row.path);
    auto loaded = load_cassette(corpus() + "/" + row.path);
    ASSERT_TRUE(loaded.ok());
    std::vector<std::string> forms = {".yaml", ".json"};
    // The order of a directory is that of the recording, which most of these do not tell.
    if (loaded->interactions.size() == 1) forms.push_back("");
    for (const std::string& extension : forms) {
      Cassette saved{loaded->interactions};
      std::string file = path(std::to_string(number++)) + extension;
      auto result = save_cassette(file, saved);
      ASSERT_TRUE(result.ok()) << result.error().message;
      auto again = load_cassette(file);
      ASSERT_TRUE(again.ok()) << again.error().message;
      ASSERT_EQ(again->interactions.size(), loaded->interactions.size());
      for (std::size_t i = 0; i < again->interactions.size(); ++i) {
        EXPECT_EQ(difference(again->interactions[i], loaded->interactions[i]), "");
        if (!extension.empty()) {
          EXPECT_EQ(again->interactions[i].id, loaded->interactions[i].id);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cassette
