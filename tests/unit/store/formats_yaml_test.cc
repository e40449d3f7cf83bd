// Native YAML: the exact bytes that are written, and that every string survives the way there and back.
#include "store/formats/yaml.h"

#include <gtest/gtest.h>

#include "tests/unit/store/formats_fixture.h"

namespace cassette {
namespace {

/// The lines of the response body as they stand in the file.
std::string body_as_written(const std::string& body) {
  std::string text = interactions_to_yaml({sample_interaction("http://h/", body)});
  std::size_t begin = text.find("      string: ") + 14;
  return text.substr(begin, text.find("\n    headers:", begin) - begin);
}

TEST(YamlWriter, WritesWhatVcrpyWrites) {
  EXPECT_EQ(interactions_to_yaml({sample_interaction()}),
            "interactions:\n"
            "- request:\n"
            "    body: null\n"
            "    headers:\n"
            "      Accept:\n"
            "      - '*/*'\n"
            "    method: GET\n"
            "    uri: http://h/p?q=1\n"
            "  response:\n"
            "    body:\n"
            "      string: text\n"
            "    headers:\n"
            "      Content-Type:\n"
            "      - application/json\n"
            "    status:\n"
            "      code: 200\n"
            "      message: OK\n"
            "version: 1\n");
  EXPECT_EQ(interactions_to_yaml({}), "interactions: []\nversion: 1\n");
}

TEST(YamlWriter, WritesOurExtensionsWhereVcrpyIgnoresThem) {
  Interaction interaction = sample_interaction();
  interaction.request_has_body = true;
  interaction.request.headers.add("X", "1");
  interaction.request.headers.add("x", "2");
  interaction.request.headers.add("X", "3");
  interaction.response.headers.clear();
  interaction.response.version = {1, 0};
  interaction.response.trailers.add("Digest", "abc");
  interaction.chunks = {{0, 12}, {3, 250}};
  interaction.first_byte_milliseconds = 1003;
  interaction.informational.push_back({103, "Early Hints", {}, 12});
  interaction.informational.front().headers.add("Link", "</a.css>");
  interaction.end = ResponseEnd::kEof;
  interaction.closes = true;
  interaction.redacted = {"0123456789abcdef",
                          {{"query", "5f3a"}, {"header:authorization", "0012"}}};
  interaction.recorded_at = 1706745599000001;
  Interaction failed;
  failed.request.method = "GET";
  failed.uri = "http://nowhere/";
  failed.error = "ECONNREFUSED";
  EXPECT_EQ(interactions_to_yaml({interaction, failed}),
            "interactions:\n"
            "- request:\n"
            "    body: ''\n"
            "    headers:\n"
            "      Accept:\n"
            "      - '*/*'\n"
            "      X:\n"
            "      - '1'\n"
            "      - '3'\n"
            "      x:\n"
            "      - '2'\n"
            "    method: GET\n"
            "    uri: http://h/p?q=1\n"
            "  response:\n"
            "    body:\n"
            "      string: text\n"
            "    headers: {}\n"
            "    status:\n"
            "      code: 200\n"
            "      message: OK\n"
            "    http_version: HTTP/1.0\n"
            "    chunks: [[0, 12], [3, 250]]\n"
            "    first_byte_ms: 1003\n"
            "    trailers:\n"
            "      Digest:\n"
            "      - abc\n"
            "    informational:\n"
            "    - headers:\n"
            "        Link:\n"
            "        - '</a.css>'\n"
            "      status:\n"
            "        code: 103\n"
            "        message: Early Hints\n"
            "      milliseconds: 12\n"
            "    ends: EOF\n"
            "    closes: true\n"
            "  redacted: {key: '0123456789abcdef', query: '5f3a', header:authorization: '0012'}\n"
            "  recorded_at: 2024-01-31T23:59:59.000001Z\n"
            "- request:\n"
            "    body: null\n"
            "    headers: {}\n"
            "    method: GET\n"
            "    uri: http://nowhere/\n"
            "  response: null\n"
            "  error: ECONNREFUSED\n"
            "version: 1\n");
}

TEST(YamlWriter, ShowsTextForReview) {
  EXPECT_EQ(body_as_written("one\ntwo\n"), "|\n        one\n        two");
  EXPECT_EQ(body_as_written("one\ntwo"), "|-\n        one\n        two");
  EXPECT_EQ(body_as_written("one\n\ntwo\n\n"), "|+\n        one\n\n        two\n");
  EXPECT_EQ(body_as_written("  one\ntwo\n"), "|2\n          one\n        two");
  EXPECT_EQ(body_as_written("\tone\ntwo\n"), "|2\n        \tone\n        two");
  EXPECT_EQ(body_as_written("{\"it's\": 1}"), "'{\"it''s\": 1}'");
  EXPECT_EQ(body_as_written("\xC3\xA9t\xC3\xA9"), "'\xC3\xA9t\xC3\xA9'");
  // What a literal block cannot hold still has a line for each of its lines.
  EXPECT_EQ(body_as_written("one\r\n  two\r\n"), "\"one\\r\\n\\\n        \\  two\\r\\n\"");
  EXPECT_EQ(body_as_written("ends in a space \nx"), "\"ends in a space \\n\\\n        x\"");
  EXPECT_EQ(body_as_written("\x1B[1m\xE2\x80\xA8"), "\"\\x1B[1m\\u2028\"");
  EXPECT_EQ(body_as_written("\xFF\xFE"), "!!binary |\n        //4=");
}

TEST(YamlWriter, QuotesWhatWouldNotBeText) {
  for (const char* text :
       {"",     "null", "Null", "~",     "yes",        "NO",  "On", "n",    "true", "1",
        "1.5",  "0x1F", "1e3",  "12:30", "2024-01-01", "=",   "<<", ".nan", "- x",  "a: b",
        "a #b", "# x",  " x",   "x ",    "x:",         "*x",  "&x", "!x",   "{x",   "[x",
        "|",    ">",    "%",    "@",     "`",          "? x", "-",  "---"}) {
    EXPECT_EQ(body_as_written(text), "'" + std::string(text) + "'");
  }
  for (const char* text :
       {"x", "/", "text/html; charset=utf-8", "a:b", "a#b", "http://h/?a=[1]&b=*"}) {
    EXPECT_EQ(body_as_written(text), text);
  }
}

TEST(YamlWriter, WritesLongBinaryInLines) {
  std::string written = body_as_written(std::string(200, '\xFF'));
  EXPECT_EQ(written.find("!!binary |\n        ////"), 0u);
  EXPECT_EQ(written.find('\n', 11), 11u + 8 + 76);
}

TEST(YamlRoundTrip, KeepsTrickyStrings) {
  std::vector<std::string> texts = tricky_pieces();
  texts.insert(texts.end(), {"\n", "\n\n\n", " \n", "a\n \n", "\n a", "a\n\n\n b\n\n", "\t\n\t",
                             "- !!binary |\n  QUJD\n", "a: |\n  b\n", "x #tagged-block:1\ny",
                             std::string(3000, 'k'), std::string(3000, '\n'),
                             std::string("\0\0", 2), std::string(200, ' ')});
  for (int byte = 0; byte < 256; ++byte) {
    texts.push_back(std::string(1, static_cast<char>(byte)));
    texts.push_back("a" + texts.back() + "\n" + texts.back() + "b\n");
  }
  std::vector<Interaction> interactions;
  for (const std::string& text : texts) {
    Interaction interaction = sample_interaction("http://h/", text);
    interaction.request_has_body = true;
    interaction.request.body = text;
    interaction.request.headers.clear();
    interaction.request.headers.add("X", text);
    interaction.request.headers.add(text, "value");
    interaction.response.reason = text;
    if (!text.empty()) interaction.uri = text;
    interactions.push_back(interaction);
  }
  auto read = interactions_from_yaml(interactions_to_yaml(interactions), "c.yaml");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), interactions.size());
  for (std::size_t i = 0; i < interactions.size(); ++i) {
    EXPECT_EQ(difference((*read)[i], interactions[i]), "") << ::testing::PrintToString(texts[i]);
  }
}

TEST(YamlRoundTrip, KeepsRandomInteractionsAndItsOwnBytes) {
  RandomInteractions random(20240131);
  for (int round = 0; round < 20; ++round) {
    std::vector<Interaction> interactions;
    interactions.reserve(100);
    for (int i = 0; i < 100; ++i) interactions.push_back(random.next());
    std::string text = interactions_to_yaml(interactions);
    auto read = interactions_from_yaml(text, "c.yaml");
    ASSERT_TRUE(read.ok()) << read.error().message << "\n" << text;
    ASSERT_EQ(read->size(), interactions.size());
    for (std::size_t i = 0; i < interactions.size(); ++i) {
      EXPECT_EQ(difference((*read)[i], interactions[i]), "")
          << interactions_to_yaml({interactions[i]});
    }
    EXPECT_EQ(interactions_to_yaml(*read), text);
  }
}

TEST(YamlRoundTrip, KeepsLargeBodies) {
  std::string binary;
  for (int i = 0; i < 1000000; ++i) binary += static_cast<char>(i * 7 + i / 256);
  std::string lines, line(1000000, 'x');
  for (int i = 0; i < 50000; ++i) lines += "line " + std::to_string(i) + "\n";
  std::vector<Interaction> interactions = {sample_interaction("http://h/1", binary),
                                           sample_interaction("http://h/2", lines),
                                           sample_interaction("http://h/3", line)};
  auto read = interactions_from_yaml(interactions_to_yaml(interactions), "c.yaml");
  ASSERT_TRUE(read.ok()) << read.error().message;
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_TRUE((*read)[i].response.body == interactions[i].response.body);
}

}  // namespace
}  // namespace cassette
