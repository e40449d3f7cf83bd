// What the commands print: summary, columns, text that is safe to print, whole interactions, JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/body.h"
#include "cli/json.h"
#include "cli/paths.h"
#include "cli/show_text.h"
#include "cli/summary.h"
#include "cli/text.h"

namespace cassette {
namespace {

using testing::HasSubstr;
using testing::Not;

CassetteCounts counts(std::uint64_t replayed, std::uint64_t recorded, std::uint64_t missed,
                      std::uint64_t unused, std::uint64_t failures = 0) {
  CassetteCounts result;
  result.path = "/p/w.yaml";
  result.replayed = replayed;
  result.recorded = recorded;
  result.missed = missed;
  result.unused = unused;
  result.record_failures = failures;
  return result;
}

TEST(Summary, Line) {
  EXPECT_EQ(summary_line(counts(12, 0, 0, 2), "tests/w.yaml"),
            "tests/w.yaml: 12 replayed, 0 recorded, 0 missed, 2 unused");
  EXPECT_THAT(summary_line(counts(0, 1, 0, 0, 3), "w"), HasSubstr(", 3 could not be recorded"));
  CassetteCounts rest = counts(0, 1, 0, 0, 2);
  rest.relayed = 1;
  rest.refused = 4;
  rest.redacted = 3;
  EXPECT_EQ(summary_line(rest, "w"),
            "w: 0 replayed, 1 recorded, 0 missed, 0 unused, 2 could not be recorded, 1 relayed, "
            "4 refused, 3 values redacted in responses");
  rest.redacted = 1;
  EXPECT_THAT(summary_line(rest, "w"), HasSubstr(", 1 value redacted in responses"));
}

TEST(Summary, StatusOfTheProgramComesFirst) {
  const FailOn nothing, unused{.unused = true, .passed = false};
  EXPECT_EQ(run_status(0, {counts(1, 1, 0, 1)}, nothing, true), 0);
  EXPECT_EQ(run_status(7, {counts(0, 0, 1, 1, 1)}, unused, true), 7);
  EXPECT_EQ(run_status(0, {counts(0, 0, 1, 1, 1)}, unused, true), 125);
  EXPECT_EQ(run_status(0, {counts(0, 0, 1, 1)}, unused, true), 3);
  EXPECT_EQ(run_status(0, {counts(0, 0, 0, 0), counts(0, 0, 0, 1)}, unused, true), 4);
  EXPECT_EQ(run_status(0, {counts(1, 1, 0, 0)}, nothing, false), 125);
  EXPECT_EQ(run_status(7, {counts(1, 1, 0, 0)}, nothing, false), 7);
}

TEST(Summary, WhatWentPastTheCassetteFailsWhereItIsAskedFor) {
  const FailOn nothing, passed{.unused = false, .passed = true};
  for (auto count : {&CassetteCounts::relayed, &CassetteCounts::refused}) {
    CassetteCounts row = counts(1, 0, 0, 0);
    row.*count = 1;
    EXPECT_EQ(run_status(0, {row}, nothing, true), 0);
    EXPECT_EQ(run_status(0, {row}, passed, true), 3);
    EXPECT_EQ(run_status(7, {row}, passed, true), 7);
  }
  EXPECT_EQ(run_status(0, {counts(1, 0, 0, 0)}, passed, true), 0);
}

TEST(Summary, ProgramsThatTheSessionKnowsNothingOf) {
  const std::vector<LeftOut> programs = parse_left_out(
      "/bin/static\n/bin/curl\tuser 9 cannot open it\tnot started\n"
      "curl\tno session\tnot in session\ncurl\tno session\tnot in session\n\ncut off");
  ASSERT_EQ(programs.size(), 4u);
  EXPECT_EQ(left_out_line(programs[0]), "/bin/static: not entered, neither recorded nor replayed");
  EXPECT_EQ(left_out_json(programs[0]), "{\"not_entered\": \"/bin/static\"}\n");
  EXPECT_EQ(left_out_line(programs[1]), "/bin/curl: not started: user 9 cannot open it");
  EXPECT_EQ(left_out_json(programs[1]),
            "{\"not_started\": \"/bin/curl\", \"why\": \"user 9 cannot open it\"}\n");
  EXPECT_EQ(left_out_line(programs[2]), "curl: its requests were missed: no session");
  EXPECT_EQ(left_out_json(programs[2]),
            "{\"not_in_session\": \"curl\", \"why\": \"no session\"}\n");

  EXPECT_EQ(lost_by({programs[0]}, true), Lost::kNothing);
  EXPECT_EQ(lost_by(programs, true), Lost::kNotRecorded);
  EXPECT_EQ(lost_by(programs, false), Lost::kMissed);
  const auto status = [](int own, Lost lost) {
    return run_status(own, {counts(0, 0, 0, 0)}, {}, true, lost);
  };
  EXPECT_EQ(status(0, Lost::kNotRecorded), 125);
  EXPECT_EQ(status(0, Lost::kMissed), 3);
  EXPECT_EQ(status(7, Lost::kNotRecorded), 7);
  EXPECT_EQ(status(0, Lost::kNothing), 0);
}

TEST(Summary, AsJsonOnOneLine) {
  CassetteCounts row = counts(1, 2, 3, 4, 5);
  row.relayed = 6;
  row.refused = 7;
  row.redacted = 8;
  EXPECT_EQ(summary_json(row, {{"/p/w.yaml", "GET http://a/", "two\n  lines"}, {"/q", "b", "c"}}),
            "{\"cassette\": \"/p/w.yaml\", \"replayed\": 1, \"recorded\": 2, \"missed\": 3, "
            "\"unused\": 4, \"record_failures\": 5, \"relayed\": 6, \"refused\": 7, "
            "\"redacted\": 8, \"not_recorded\": [{\"what\": \"GET http://a/\", "
            "\"why\": \"two\\n  lines\"}]}\n");
  EXPECT_THAT(summary_json(row, {}), HasSubstr("\"not_recorded\": []}"));
}

TEST(Summary, CountsOfAnOlderSessionAreTakenOff) {
  CassetteCounts before = counts(5, 1, 2, 9), now = counts(7, 1, 2, 4);
  before.relayed = before.refused = before.redacted = 2;
  now.relayed = 2;
  now.refused = 3;
  now.redacted = 7;
  auto since = counts_since({before}, {now});
  ASSERT_EQ(since.size(), 1u);
  EXPECT_EQ(since[0].replayed, 2u);
  EXPECT_EQ(since[0].recorded, 0u);
  EXPECT_EQ(since[0].missed, 0u);
  EXPECT_EQ(since[0].unused, 4u);
  EXPECT_EQ(since[0].relayed, 0u);
  EXPECT_EQ(since[0].refused, 1u);
  EXPECT_EQ(since[0].redacted, 5u);
}

TEST(Text, NothingBreaksALineOrSteersATerminal) {
  EXPECT_EQ(on_one_line("a\nb\tc\x1b[31m\x7f"), "a\\nb\\tc\\x1b[31m\\x7f");
  EXPECT_EQ(on_one_line("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(on_one_line("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(on_one_line("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(for_terminal("a\n\tb\x1b"), "a\n\tb\\x1b");
}

TEST(Text, TextAndBinaryAreToldApart) {
  EXPECT_TRUE(is_text(""));
  EXPECT_TRUE(is_text("{\"a\":\t1}\r\n"));
  EXPECT_FALSE(is_text(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_text("\xff\xfe"));
}

TEST(Text, HexDump) {
  EXPECT_EQ(hex_dump("hello, world 12345", 1000),
            "00000000  68 65 6c 6c 6f 2c 20 77  6f 72 6c 64 20 31 32 33  |hello, world 123|\n"
            "00000010  34 35                                             |45|\n");
  EXPECT_EQ(hex_dump("abc", 1).find("62"), std::string::npos);
}

TEST(Text, Columns) {
  EXPECT_EQ(columns({{"1", "GET", "x"}, {"10", "DELETE", ""}}, {true, false, false}, 72),
            " 1  GET     x\n10  DELETE\n");
  EXPECT_EQ(columns({{"a", "1"}, {"long-one", "2"}}, {false, true}, 3), "a    1\nlong-one  2\n");
}

TEST(Paths, AbsoluteAndShortest) {
  EXPECT_EQ(absolute_path("a/../b.yaml", "/p"), "/p/b.yaml");
  // With its slash: it says that a cassette is a directory.
  EXPECT_EQ(absolute_path(".", "/p/q"), "/p/q/");
  EXPECT_EQ(absolute_path("q/", "/p"), "/p/q/");
  EXPECT_EQ(shortest_path("/p/q/w.yaml", "/p"), "q/w.yaml");
  EXPECT_EQ(shortest_path("/x.yaml", "/a/b/c/d"), "/x.yaml");
}

Interaction sample() {
  Interaction interaction;
  interaction.id = "0123456789abcdef";
  interaction.uri = "http://h/p?q=1";
  interaction.recorded_at = 1700000000000001;
  interaction.request.method = "POST";
  interaction.request.headers.add("Accept", "*/*");
  interaction.request.body = "a=1";
  interaction.request_has_body = true;
  interaction.response.status = 200;
  interaction.response.reason = "OK";
  interaction.response.headers.add("Content-Type", "application/json");
  interaction.response.body = "{\"a\":[1.10]}";
  return interaction;
}

TEST(ShowText, Whole) {
  EXPECT_EQ(interaction_text(sample(), 3, false),
            "=== 3  0123456789abcdef  2023-11-14T22:13:20.000001Z\n"
            "POST http://h/p?q=1 HTTP/1.1\n"
            "Accept: */*\n"
            "\n"
            "a=1\n"
            "---\n"
            "HTTP/1.1 200 OK\n"
            "Content-Type: application/json\n"
            "\n"
            "{\"a\":[1.10]}\n");
}

TEST(ShowText, OnATerminalJsonIsIndentedAndNothingSteersIt) {
  Interaction interaction = sample();
  EXPECT_THAT(interaction_text(interaction, 1, true),
              HasSubstr("{\n  \"a\": [\n    1.10\n  ]\n}\n"));
  interaction.response.body = "{\"a\": \x1b[31m";
  interaction.request.body = "\x1b[0m";
  // An escape character is no text by is_text(), and shown as bytes.
  EXPECT_THAT(interaction_text(interaction, 1, true), Not(HasSubstr("\x1b")));
}

TEST(ShowText, BinaryBodyAndNetworkError) {
  Interaction interaction = sample();
  interaction.response.body = std::string(300, '\0');
  const std::string text = interaction_text(interaction, 1, false);
  EXPECT_THAT(text, HasSubstr("[binary, 300 bytes; the first 256 follow]\n00000000  00 00"));
  interaction.error = "ECONNREFUSED";
  EXPECT_THAT(interaction_text(interaction, 1, false),
              HasSubstr("---\nnetwork error ECONNREFUSED\n"));
}

TEST(ShowText, HowAnAnswerCameAndEnded) {
  Interaction interaction = sample();
  interaction.informational.push_back({103, "Early Hints", {}, 0});
  interaction.informational[0].headers.add("Link", "</a>");
  EXPECT_THAT(interaction_text(interaction, 1, false),
              HasSubstr("---\nHTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\n"));
  interaction.closes = true;
  EXPECT_THAT(interaction_text(interaction, 1, false),
              HasSubstr("[then the server closed the connection]\n"));
  interaction.end = ResponseEnd::kOpen;
  EXPECT_THAT(interaction_text(interaction, 1, false), HasSubstr("[the program left here"));
  interaction.error = kSilenceError;
  EXPECT_THAT(interaction_text(interaction, 1, false),
              HasSubstr("---\nthe program gave up waiting for an answer (SILENCE)\n"));
}

TEST(Body, ContentCodingIsUndone) {
  // gzip of "hello"
  const std::string gzip(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00",
      25);
  Headers headers;
  headers.add("content-encoding", "gzip");
  const ShownBody shown = shown_body(headers, gzip);
  EXPECT_EQ(shown.bytes, "hello");
  EXPECT_EQ(shown.coding, "gzip");
  // Cassettes of other tools keep the header of a body that they decoded.
  EXPECT_EQ(shown_body(headers, "hello").bytes, "hello");
  EXPECT_EQ(shown_body(headers, "hello").coding, "");
  const ShownBody broken = shown_body(headers, gzip.substr(0, 15));
  EXPECT_EQ(broken.bytes, gzip.substr(0, 15));
  EXPECT_NE(broken.problem, "");
}

TEST(Body, IndentedJson) {
  EXPECT_EQ(indented_json("[1,2]"), "[\n  1,\n  2\n]\n");
  EXPECT_EQ(indented_json("12345678901234567890.50"), "12345678901234567890.50\n");
  EXPECT_EQ(indented_json("not json"), "not json");
  EXPECT_EQ(indented_json("{} x"), "{} x");
  EXPECT_EQ(indented_json(std::string(200000, '[')).size(), 200000u);
}

TEST(Json, WholeInteraction) {
  Interaction interaction = sample();
  interaction.response.body = "\xff";
  interaction.response.headers.add("X-Latin", "\xe9");
  JsonOutput out;
  out.whole(interaction, 1);
  const std::string text = out.text();
  EXPECT_THAT(text, HasSubstr("\"index\": 1"));
  EXPECT_THAT(text, HasSubstr("\"text\": \"a=1\""));
  EXPECT_THAT(text, HasSubstr("\"base64\": \"/w==\""));
  EXPECT_THAT(text, HasSubstr("\"value\": \"\xc3\xa9\""));
  EXPECT_THAT(text, HasSubstr("\"when\": \"2023-11-14T22:13:20.000001Z\""));
}

TEST(Json, RowOfAnErrorHasNoStatus) {
  Interaction interaction = sample();
  interaction.error = "ECONNREFUSED";
  interaction.recorded_at.reset();
  JsonOutput out;
  out.row(interaction, 1);
  EXPECT_THAT(out.text(), HasSubstr("\"status\": null"));
  EXPECT_THAT(out.text(), HasSubstr("\"error\": \"ECONNREFUSED\""));
  EXPECT_THAT(out.text(), HasSubstr("\"when\": null"));
}

}  // namespace
}  // namespace cassette
