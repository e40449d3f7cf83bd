// Native JSON: the exact bytes that are written, and that every string survives the way there and back.
#include "store/formats/json.h"

#include <gtest/gtest.h>

#include "tests/unit/store/formats_fixture.h"

namespace cassette {
namespace {

TEST(JsonWriter, WritesWhatVcrpyWrites) {
  EXPECT_EQ(interactions_to_json({sample_interaction()}), R"({
    "version": 1,
    "interactions": [
        {
            "request": {
                "method": "GET",
                "uri": "http://h/p?q=1",
                "body": null,
                "headers": {
                    "Accept": [
                        "*/*"
                    ]
                }
            },
            "response": {
                "status": {
                    "code": 200,
                    "message": "OK"
                },
                "headers": {
                    "Content-Type": [
                        "application/json"
                    ]
                },
                "body": {
                    "string": "text"
                }
            }
        }
    ]
}
)");
}

TEST(JsonWriter, WritesBytesThatAreNoTextInBase64) {
  Interaction interaction = sample_interaction("http://h/", "\xFF\xFE");
  interaction.request_has_body = true;
  interaction.request.body = "\xFF";
  std::string text = interaction_to_json(interaction, false);
  EXPECT_NE(text.find(R"("body":{"base64_string":"//4="})"), std::string::npos);
  EXPECT_NE(text.find(R"("body":{"base64_string":"/w=="})"), std::string::npos);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(JsonWriter, PutsPiecesOnOneLine) {
  Interaction interaction = sample_interaction();
  interaction.chunks = {{0, 12}, {3, 250}};
  EXPECT_NE(interaction_to_json(interaction, true).find("\"chunks\": [[0, 12], [3, 250]]"),
            std::string::npos);
}

TEST(JsonRoundTrip, KeepsRandomInteractions) {
  RandomInteractions random(7);
  std::vector<Interaction> interactions;
  interactions.reserve(2000);
  for (int i = 0; i < 2000; ++i) interactions.push_back(random.next());
  std::string text = interactions_to_json(interactions);
  auto read = interactions_from_json(text, "c.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), interactions.size());
  EXPECT_EQ(interactions_to_json(*read), text);
  for (std::size_t i = 0; i < interactions.size(); ++i) {
    EXPECT_EQ(difference((*read)[i], interactions[i]), "");
    for (bool pretty : {false, true}) {
      auto one = interaction_from_json(interaction_to_json(interactions[i], pretty), "one.json");
      ASSERT_TRUE(one.ok()) << one.error().message;
      EXPECT_EQ(difference(*one, interactions[i]), "");
    }
  }
}

TEST(JsonReader, TakesAWholeCassetteOfOneForAnInteraction) {
  std::string one = interactions_to_json({sample_interaction()});
  EXPECT_TRUE(interaction_from_json(one, "x").ok());
  auto two = interaction_from_json(
      interactions_to_json({sample_interaction(), sample_interaction()}), "x");
  ASSERT_FALSE(two.ok());
  EXPECT_EQ(two.error().message,
            "x:1: a file of a directory cassette holds one interaction; this one has 2");
}

}  // namespace
}  // namespace cassette
