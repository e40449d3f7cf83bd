// What other versions of vcrpy, other tools and people write, and what a hostile file may hold.
#include <gtest/gtest.h>

#include "store/formats/json.h"
#include "store/formats/text.h"
#include "store/formats/tree.h"
#include "store/formats/yaml.h"

namespace cassette {
namespace {

/// A cassette whose one interaction has these lines for request and response (indented by four).
std::string cassette_with(const std::string& request, const std::string& response) {
  return "interactions:\n- request:\n" + request + "  response:\n" + response + "version: 1\n";
}

const char kRequest[] = "    body: null\n    headers: {}\n    method: GET\n    uri: http://h/\n";
const char kResponse[] =
    "    body: {string: x}\n    headers: {}\n    status: {code: 200, message: OK}\n";

Interaction only(const std::string& text) {
  auto read = interactions_from_yaml(text, "c.yaml");
  EXPECT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.ok() ? read->size() : 0, 1u);
  return read.ok() && !read->empty() ? read->front() : Interaction();
}

std::string request_body(const std::string& yaml) {
  return only(cassette_with("    body: " + yaml + "\n    method: GET\n    uri: http://h/\n",
                            kResponse))
      .request.body;
}

std::string error_of(const std::string& yaml) {
  auto read = interactions_from_yaml(yaml, "c.yaml");
  return read.ok() ? "no error" : read.error().message;
}

TEST(Tolerance, RequestBodies) {
  EXPECT_EQ(request_body("!!binary |\n      /wA="), std::string("\xFF\0", 2));
  EXPECT_EQ(request_body("!!python/unicode 'a=1'"), "a=1");
  EXPECT_EQ(request_body("!!python/object/new:_io.BytesIO\n      state: !!python/tuple\n"
                         "      - !!binary |\n        YWJj\n      - 0\n      - null"),
            "abc");
  EXPECT_EQ(request_body("!!python/object/apply:builtins.iter\n      args:\n      - - ab\n"
                         "        - !!binary |\n          Yw==\n      state: 1"),
            "abc");
  EXPECT_EQ(request_body("!!python/object/apply:builtins.iter\n    - - ab\n      - c"), "abc");
  EXPECT_EQ(request_body("[ab, c]"), "abc");
  EXPECT_EQ(request_body("{a: 1, b: ['x', true, null, 1.5, '2'], c: {}}"),
            R"({"a":1,"b":["x",true,null,1.5,"2"],"c":{}})");
  EXPECT_EQ(request_body("[1, 2]"), "[1,2]");
}

TEST(Tolerance, Headers) {
  Interaction interaction =
      only(cassette_with("    headers:\n"
                         "      A: bare\n"
                         "      B: [!!binary eA==, y]\n"
                         "      C:\n      - !!binary |\n        eg==\n"
                         "      D: null\n"
                         "      E: []\n"
                         "      Content-Length: 12\n"
                         "    method: get\n    uri: http://h/\n",
                         "    body: {string: x}\n"
                         "    headers:\n"
                         "    - !!python/tuple\n      - Set-Cookie\n      - [a=1, b=2]\n"
                         "    - [X, y]\n"
                         "    status: {code: 200, message: null}\n"));
  Headers expected;
  for (auto [name, value] :
       std::vector<std::pair<const char*, const char*>>{{"A", "bare"},
                                                        {"B", "x"},
                                                        {"B", "y"},
                                                        {"C", "z"},
                                                        {"D", ""},
                                                        {"Content-Length", "12"}}) {
    expected.add(name, value);
  }
  EXPECT_TRUE(interaction.request.headers == expected);
  EXPECT_EQ(interaction.request.method, "get");
  EXPECT_FALSE(interaction.request_has_body);
  expected.clear();
  expected.add("Set-Cookie", "a=1");
  expected.add("Set-Cookie", "b=2");
  expected.add("X", "y");
  EXPECT_TRUE(interaction.response.headers == expected);
  EXPECT_EQ(interaction.response.reason, "");
}

TEST(Tolerance, OldHttpxResponse) {
  Interaction interaction =
      only(cassette_with(kRequest,
                         "    content: '{\"a\": 1}'\n    headers: {Content-Encoding: gzip}\n"
                         "    http_version: HTTP/1.0\n    status_code: 201\n"));
  EXPECT_EQ(interaction.response.body, "{\"a\": 1}");
  EXPECT_EQ(interaction.response.status, 201);
  EXPECT_EQ(interaction.response.version, (HttpVersion{1, 0}));
}

TEST(Tolerance, AnyOrderExtraKeysAliasesAndTimes) {
  Interaction interaction = only(
      "recorded_at: 2020-01-01T00:00:00\nversion: 1\nextra: {a: [1, 2]}\ninteractions:\n"
      "- recorded_at: '2024-02-01T01:59:59.0000019+02:00'\n"
      "  response: {status: {message: OK, code: 200}, headers: &h {A: [b]}, body: {string: x}, url: u}\n"
      "  request: {uri: http://h/, headers: *h, method: GET, parsed_body: {a: 1}}\n");
  EXPECT_EQ(interaction.recorded_at, 1706745599000001);
  EXPECT_EQ(interaction.request.headers.find("A"), "b");
  EXPECT_EQ(only(cassette_with(kRequest, std::string(kResponse) + "  recorded_at: yesterday\n"))
                .recorded_at,
            std::nullopt);
}

TEST(Tolerance, ReadsScalarsAsPyYamlDoes) {
  auto body = [](const std::string& yaml) {
    return only(cassette_with(kRequest,
                              "    body:\n      string: " + yaml +
                                  "\n    headers: {}\n    status: {code: 200, message: OK}\n"))
        .response.body;
  };
  EXPECT_EQ(body("\"\\N\\_\\L\\P\\e\\x41\\U0001F600\""),
            "\xC2\x85\xC2\xA0\xE2\x80\xA8\xE2\x80\xA9\x1B"
            "A\xF0\x9F\x98\x80");
  // yaml-cpp keeps one of several line ends before the closing quote.
  EXPECT_EQ(body("'a\n\n\n        b\n\n\n        '"), "a\n\nb\n\n");
  EXPECT_EQ(body("\"a\\n\n\n\n        \""), "a\n\n\n");
  EXPECT_EQ(body("\"a\\\n\n        \""), "a\n");
  EXPECT_EQ(body("'\n\n\n        '"), "\n\n");
  EXPECT_EQ(body("'it''s\n\n        '"), "it's\n");
  EXPECT_EQ(body(">+\n        a\n        b\n\n"), "a b\n\n\n");
  EXPECT_EQ(body("|2\n         a\n"), " a\n");
  EXPECT_EQ(body("null"), "");
}

TEST(Tolerance, TaggedBlocksInListsSpareTheSameTextElsewhere) {
  // yaml-cpp cannot read the first; the second looks the same and is text.
  Interaction interaction = only(cassette_with(
      "    headers:\n      A:\n      - !!binary |\n        eA==\n      - !!python/unicode |-\n        y\n"
      "    method: GET\n    uri: http://h/\n",
      "    body:\n      string: |\n        - !!binary |\n          eA==\n        - !x >+2  \n"
      "    headers: {}\n    status: {code: 200, message: OK}\n"));
  EXPECT_EQ(interaction.request.headers.at(0).value, "x");
  EXPECT_EQ(interaction.request.headers.at(1).value, "y");
  EXPECT_EQ(interaction.response.body, "- !!binary |\n  eA==\n- !x >+2  \n");
}

TEST(Tolerance, PiecesThatNoLongerFitAnEditedBodyAreDropped) {
  std::string pieces = "    chunks: [[0, 1], [1, 2], [2, 3]]\n";
  EXPECT_EQ(only(cassette_with(kRequest, kResponse + pieces)).chunks,
            (std::vector<Piece>{{0, 1}, {1, 2}}));
  EXPECT_EQ(
      error_of(cassette_with(kRequest, std::string(kResponse) + "    chunks: [[1, 1], [0, 2]]\n")),
      "c.yaml:11: response.chunks is no list of [offset, milliseconds] in ascending order");
}

TEST(Tolerance, PiecesMayHaveAThirdNumber) {
  std::string pieces = "    chunks: [[0, 1, 7], [1, 2]]\n";
  EXPECT_EQ(only(cassette_with(kRequest, kResponse + pieces)).chunks,
            (std::vector<Piece>{{0, 1, 7}, {1, 2}}));
}

TEST(Refusal, AnInformationalStatusIsNoAnswer) {
  for (const char* code : {"100", "102", "103"}) {
    const std::string response = std::string("    body: {string: ''}\n    headers: {}\n") +
                                 "    status: {code: " + code + ", message: x}\n";
    EXPECT_EQ(error_of(cassette_with(kRequest, response)),
              "c.yaml:8: response.status.code is " + std::string(code) +
                  ", which is no final answer: it goes to response.informational");
  }
}

TEST(Refusal, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of(""), "c.yaml: an empty file: a cassette has `interactions`");
  EXPECT_EQ(
      error_of("[]\n"),
      "c.yaml:1: a list at the top level: this is a cassette from before vcrpy 1.0, re-record it or "
      "convert it with vcrpy's migration (python -m vcr.migration)");
  EXPECT_EQ(error_of("a: b\n"), "c.yaml:1: no `interactions` (the keys are: a)");
  EXPECT_EQ(error_of("---\nhttp_interactions: []\nrecorded_with: VCR 6.4.0\n"),
            "c.yaml:2: a Ruby VCR cassette (`http_interactions`), which is not read yet");
  EXPECT_EQ(error_of("interactions: []\nversion: 2\n"),
            "c.yaml:2: version 2: only version 1 is known");
  EXPECT_EQ(error_of("interactions:\n- response: {}\n"),
            "c.yaml:2: an interaction without `request` (its keys: response)");
  EXPECT_EQ(error_of(cassette_with("    method: GET\n", kResponse)),
            "c.yaml:3: a request without `uri`");
  EXPECT_EQ(error_of(cassette_with(kRequest, "    headers: {}\n    status: {code: 200}\n")),
            "c.yaml:8: a response without `body.string` (its keys: headers, status)");
  EXPECT_EQ(error_of(cassette_with(kRequest, "    body: {string: x}\n    status: {code: 20x}\n")),
            "c.yaml:9: response.status.code is \"20x\", where a number up to 999 is expected");
  EXPECT_EQ(
      error_of(cassette_with("    body: !!python/object:my.Thing {a: b}\n    method: GET\n"
                             "    uri: http://h/\n",
                             kResponse)),
      "c.yaml:3: the tag !!python/object:my.Thing stands for an object of a program; cassettes hold "
      "data only");
  EXPECT_EQ(
      error_of(cassette_with("    headers: {A: {b: c}}\n    method: GET\n    uri: u\n", kResponse)),
      "c.yaml:3: request.headers is a map, where text is expected");
  EXPECT_EQ(error_of(cassette_with(kRequest,
                                   "    status: {code: 200}\n"
                                   "    body: {string: !!python/object/apply:os.system [x]}\n")),
            "c.yaml:9: the tag !!python/object/apply:os.system stands for an object of a program; "
            "cassettes hold data only")
      << "not \"is a list, where text is expected\"";
  EXPECT_EQ(error_of("interactions:\n- request: {body: !!binary 'Q'}\n"),
            "c.yaml:2: !!binary that is not complete base64");
  EXPECT_EQ(error_of("interactions: [\n"),
            "c.yaml:2: not valid YAML: end of sequence flow not found");
  EXPECT_EQ(error_of("interactions: []\n---\ninteractions: []\n"),
            "c.yaml:3: a second document (---), where one is expected");
  EXPECT_EQ(error_of("interactions: []\nx: \xFF\n"),
            "c.yaml:2: bytes that are not UTF-8, which YAML has to be");
  EXPECT_EQ(error_of(std::string("interactions: []\n\nx: a\0b\n", 24)),
            "c.yaml:3: the control character 0x00, which YAML does not allow");
  EXPECT_EQ(error_of("interactions: []\n\x04garbage: [\n"),
            "c.yaml:2: the control character 0x04, which YAML does not allow");
}

TEST(Refusal, JsonSaysWhatIsWrongAndWhere) {
  auto error_of_json = [](const std::string& text) {
    auto read = interactions_from_json(text, "c.json");
    return read.ok() ? "no error" : read.error().message;
  };
  EXPECT_EQ(error_of_json(""), "c.json:1: an empty file, where JSON is expected");
  EXPECT_EQ(error_of_json("{\n\"version\": 1,\n\"interactions\": [\n{}\n]}"),
            "c.json:4: an interaction without `request` (its keys: none)");
  EXPECT_EQ(error_of_json("{\n\"version\": 1,\n\"interactions\": []}\n}").substr(0, 9),
            "c.json:4:");
  EXPECT_EQ(error_of_json("{\n\"version\": 1\n\"interactions\": []}").substr(0, 9), "c.json:2:");
  EXPECT_EQ(error_of_json("{\"a\": \"b"), "c.json:1: not valid JSON: a string is not closed");
  EXPECT_EQ(error_of_json("{\n\"a\": \"b\\\"\n\",\n\"c\": \"d\n\n"),
            "c.json:4: not valid JSON: a string is not closed")
      << "the line is where it begins";
  EXPECT_EQ(error_of_json("{\n\"a\": \"\xFF\"}"),
            "c.json:2: bytes that are not UTF-8, which JSON has to be");
  for (const char* text :
       {"1", "\"a\"", "nul", "{", "[", "[1,]", "{\"a\":01}", "{\"a\":tru}", "{1:2}",
        "{\"a\":\"\\ud800\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\x01\"}", "{\"a\":\xFF}"}) {
    EXPECT_NE(error_of_json(text), "no error") << text;
  }
}

TEST(Hostile, DepthIsAnError) {
  for (const char* unit : {"[", "- ", "{a: ", "? ", "[[a", "[a,", "- ? "}) {
    std::string text;
    while (text.size() < 200000) text += unit;
    EXPECT_FALSE(tree_from_yaml(text, "x").ok()) << unit;
  }
  std::string indented;
  for (int i = 0; i < 1000; ++i) indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_FALSE(tree_from_yaml(indented, "x").ok());
  EXPECT_FALSE(tree_from_json(std::string(100000, '['), "x").ok());
  EXPECT_FALSE(tree_from_json(std::string(100000, '[') + std::string(100000, ']'), "x").ok());
  std::string maps;
  for (int i = 0; i < 100000; ++i) maps += "{\"a\":";
  EXPECT_FALSE(tree_from_json(maps, "x").ok());
  EXPECT_TRUE(tree_from_json(std::string(99, '[') + "1" + std::string(99, ']'), "x").ok());
}

TEST(Hostile, AliasesDoNotSwell) {
  std::string bomb = "a0: &a0 [" + std::string(100, 'x') + "]\n";
  for (int i = 1; i < 30; ++i) {
    std::string previous = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + previous;
    for (int k = 0; k < 9; ++k) bomb += ", " + previous;
    bomb += "]\n";
  }
  auto tree = tree_from_yaml(bomb, "x");
  ASSERT_FALSE(tree.ok());
  EXPECT_NE(tree.error().message.find("aliases that would swell this file"), std::string::npos);
  // Deep by aliases alone.
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 300; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            "]\n";
  }
  EXPECT_FALSE(tree_from_yaml(deep, "x").ok());
  EXPECT_FALSE(tree_from_yaml("&a [*a]", "x").ok());
  EXPECT_FALSE(tree_from_yaml("&a {b: *a}", "x").ok());
}

// ---- merge keys ----

TEST(MergeKeys, AreMergedAsPyYamlAndPsychDo) {
  auto merged = [](const std::string& text) {
    auto tree = tree_from_yaml("d: &d {a: 1, b: 2}\ne: &e {b: 3, c: 4}\nx:\n" + text, "c.yaml");
    if (!tree) return tree.error().message;
    std::string result;
    const DocumentNode* map = tree->find("x");
    for (std::size_t i = 0; i + 1 < map->items.size(); i += 2) {
      const DocumentNode& value = map->items[i + 1];
      result += (i > 0 ? " " : "") + map->items[i].text + "=" +
                (value.is_scalar() ? value.text : "{" + value.key_names() + "}");
    }
    return result;
  };
  EXPECT_EQ(merged("  <<: *d\n"), "a=1 b=2");
  EXPECT_EQ(merged("  <<: *d\n  b: own\n"), "a=1 b=own");
  EXPECT_EQ(merged("  b: own\n  <<: *d\n"), "a=1 b=own") << "wherever it stands";
  EXPECT_EQ(merged("  <<: [*d, *e]\n"), "b=2 c=4 a=1") << "the first of a list wins";
  EXPECT_EQ(merged("  <<: *d\n  <<: *e\n"), "a=1 b=3 c=4") << "the last of several wins";
  EXPECT_EQ(merged("  <<: {a: 5, f: 6}\n  g: 7\n"), "a=5 f=6 g=7");
  EXPECT_EQ(merged("  <<:\n    <<: *d\n    a: 5\n"), "b=2 a=5");
  EXPECT_EQ(merged("  f: {<<: *d}\n"), "f={a, b}");
  EXPECT_EQ(merged("  <<: []\n  a: 1\n"), "a=1");
  EXPECT_EQ(merged("  '<<': *d\n"), "<<={a, b}") << "in quotes it is a key";
  EXPECT_EQ(merged("  y: &y {<<: *d, z: 1}\n  w: *y\n"), "y={a, b, z} w={a, b, z}");
}

TEST(MergeKeys, NameTheLineWhereTheyAreUsed) {
  EXPECT_EQ(error_of("a: &a text\ninteractions:\n- request:\n    <<: *a\n"),
            "c.yaml:4: << merges a map, or a list of maps, and nothing else");
  EXPECT_EQ(error_of("a: &a text\ninteractions:\n- request:\n    <<: [{b: c}, *a]\n"),
            "c.yaml:4: << merges a map, or a list of maps, and nothing else");
  EXPECT_EQ(error_of("a: &a {b: c}\ninteractions:\n- request:\n    method: *a\n    uri: u\n"),
            "c.yaml:4: request.method is a map, where text is expected");
}

TEST(MergeKeys, FillTheHeadersOfACassette) {
  const std::string text = cassette_with(
      "    headers: &h {A: [b], C: [d]}\n    method: GET\n    uri: http://h/\n",
      "    headers: {<<: *h, C: [own]}\n    body: {string: x}\n    status: {code: 200}\n");
  auto read = interactions_from_yaml(text, "c.yaml");
  ASSERT_TRUE(read.ok()) << read.error().message;
  const Headers& headers = read->front().response.headers;
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.at(0).name, "A");
  EXPECT_EQ(headers.at(1).value, "own");
}

TEST(MergeKeys, DoNotSwellAFile) {
  std::string bomb = "a0: &a0 {k: " + std::string(200, 'x') + "}\n";
  for (int i = 1; i < 30; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + "\n";
    for (int j = 0; j < 9; ++j) bomb += "  k" + std::to_string(j) + ": {<<: [" + last + "]}\n";
  }
  auto tree = tree_from_yaml(bomb, "x");
  ASSERT_FALSE(tree.ok());
  EXPECT_NE(tree.error().message.find("aliases that would swell this file"), std::string::npos);
  // Many keys on both sides cost no more than their number.
  const std::string key = std::string(200, 'k');
  std::string wide = "a: &a {";
  for (int i = 0; i < 20000; ++i) wide += key + std::to_string(i) + ": v, ";
  wide += "z: v}\nb: {";
  for (int i = 0; i < 20000; ++i) wide += key + std::to_string(i) + ": w, ";
  wide += "<<: *a}\n";
  auto good = tree_from_yaml(wide, "x");
  ASSERT_TRUE(good.ok()) << good.error().message;
  EXPECT_EQ(good->find("b")->items.size(), 2u * 20001);
}

TEST(Hostile, HugeScalarsAreFine) {
  std::string huge(5000000, 'a');
  auto tree = tree_from_yaml("a: " + huge + "\nb: \"" + huge + "\"\n", "x");
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_TRUE(tree->find("a")->text == huge);
  EXPECT_TRUE(tree->find("b")->text == huge);
}

TEST(Text, Times) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339("1969-12-31t23:59:59.5z"), -500000);
  EXPECT_EQ(parse_rfc3339("2024-02-29T12:00:00-01:30"), parse_rfc3339("2024-02-29T13:30:00Z"));
  EXPECT_EQ(parse_rfc3339("2024-02-29 12:00:00"), parse_rfc3339("2024-02-29T12:00:00Z"));
  for (const char* text :
       {"", "2024", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00Zx", "2024-01-01T00:00:00+1"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
  EXPECT_EQ(format_rfc3339(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_rfc3339(INT64_MAX), std::nullopt);
  EXPECT_EQ(format_rfc3339(INT64_MIN), std::nullopt);
}

TEST(Text, Base64) {
  for (std::size_t length = 0; length < 40; ++length) {
    std::string bytes;
    for (std::size_t i = 0; i < length; ++i) bytes += static_cast<char>(i * 37 + 200);
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  }
  EXPECT_EQ(decode_base64(" YW\nJj\r\n\tZA = =\n"), "abcd");
  for (const char* text :
       {"Y", "YW", "YWJ", "YQ=a", "Y===", "====", "YWJj=", "\xFF\xFF\xFF\xFF", "YW-_"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

// ---- what people write into a cassette by hand ----

std::string with_rules(const std::string& rules) {
  return "interactions:\n- request:\n" + std::string(kRequest) + "  response:\n" + kResponse +
         rules + "version: 1\n";
}

TEST(Rules, TimesAndPriorityAreReadAndWrittenInEveryForm) {
  Interaction read = only(with_rules("  times: 3\n  priority: -2\n"));
  EXPECT_EQ(read.times, 3u);
  EXPECT_EQ(read.priority, -2);
  for (const Interaction& again :
       {only(interactions_to_yaml({read})),
        interaction_from_json(interaction_to_json(read, false), "j").value(),
        interaction_from_json(interaction_to_json(read, true), "j").value()}) {
    EXPECT_EQ(again.times, 3u);
    EXPECT_EQ(again.priority, -2);
  }
  EXPECT_EQ(only(with_rules("  times: 0\n")).times, 0u);
}

TEST(Rules, WhatIsAsUsualIsNotWritten) {
  Interaction usual = only(with_rules(""));
  EXPECT_EQ(usual.times, 1u);
  EXPECT_EQ(usual.priority, 0);
  EXPECT_EQ(interactions_to_yaml({usual}).find("times"), std::string::npos);
  EXPECT_EQ(interaction_to_json(usual, true).find("priority"), std::string::npos);
}

TEST(Rules, AValueThatIsNoneIsAnErrorWithItsPlace) {
  for (const char* value : {"-1", "two", "1.5", "99999999999", "[1]", "''"}) {
    std::string message = error_of(with_rules("  times: " + std::string(value) + "\n"));
    EXPECT_NE(message.find("c.yaml:11: times is "), std::string::npos) << message;
    EXPECT_NE(message.find("from 0 to 1000000000"), std::string::npos) << message;
  }
  EXPECT_NE(error_of(with_rules("  priority: high\n")).find("priority is \"high\""),
            std::string::npos);
}

}  // namespace
}  // namespace cassette
