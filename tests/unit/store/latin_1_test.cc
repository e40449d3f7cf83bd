// Header fields that are no UTF-8: text in a cassette, the same bytes when they are read.
#include "store/formats/latin_1.h"

#include <gtest/gtest.h>

#include "store/formats/header_groups.h"
#include "store/formats/json.h"
#include "store/formats/yaml.h"
#include "tests/unit/store/formats_fixture.h"

namespace cassette {
namespace {

Headers fields(std::initializer_list<std::pair<std::string, std::string>> list) {
  Headers headers;
  for (const auto& [name, value] : list) headers.add(name, value);
  return headers;
}

const Headers kFields[] = {
    fields({{"X-A", "caf\xE9"}}),
    fields({{"X-A", "plain"}, {"X-B", "\x80\x85\xA0\xFF"}, {"X-A", "\xC3\xA9"}, {"X-A", "\xE9"}}),
    fields({{"X-\xE9", "a"}, {"X-\xC3\xA9", "b"}, {"X-\xC3\x83\xC2\xA9", "c"}}),
    fields({{"X-\xC3\xA9", "\xE9"}, {"X-\xC3\x83\xC2\xA9", "\xE2\x82\xAC"}}),
    fields({{"X-\xC3\xA9", "\xE2\x82\xAC"}}),
};

TEST(Latin1, ComesBackByteForByte) {
  for (const Headers& headers : kFields) {
    Interaction interaction = sample_interaction();
    // Of a request only the order within a name is kept.
    if (order_beyond_groups(headers, group_headers(headers)).empty())
      interaction.request.headers = headers;
    interaction.response.headers = headers;
    const std::vector<Interaction> all{interaction};
    auto yaml = interactions_from_yaml(interactions_to_yaml(all), "c.yaml");
    ASSERT_TRUE(yaml.ok()) << yaml.error().message;
    EXPECT_EQ(difference(yaml->front(), interaction), "") << interactions_to_yaml(all);
    auto json = interactions_from_json(interactions_to_json(all), "c.json");
    ASSERT_TRUE(json.ok()) << json.error().message;
    EXPECT_EQ(difference(json->front(), interaction), "") << interactions_to_json(all);
  }
}

TEST(Latin1, IsTextInTheFile) {
  Interaction interaction = sample_interaction();
  interaction.response.headers = fields({{"X-A", "caf\xE9"}, {"X-B", "\xC3\xA9"}});
  const std::string yaml = interactions_to_yaml({interaction});
  EXPECT_NE(
      yaml.find("    headers:\n      X-A:\n      - 'caf\xC3\xA9'\n      X-B:\n      - '\xC3\xA9'\n"
                "    latin_1_headers:\n    - X-A\n"),
      std::string::npos)
      << yaml;
  EXPECT_EQ(yaml.find("!!binary"), std::string::npos);
  EXPECT_FALSE(latin_1_text_of(fields({{"X-B", "\xC3\xA9"}})).has_value());
}

TEST(Latin1, LeavesWhatSomebodyPutIntoIt) {
  Headers headers = fields({{"X-A", "\xE2\x82\xAC"}});
  restore_latin_1(headers, {"X-A", "X-Gone"});
  EXPECT_EQ(headers.at(0).value, "\xE2\x82\xAC");
}

}  // namespace
}  // namespace cassette
