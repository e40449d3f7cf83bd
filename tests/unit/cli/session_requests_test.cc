// The command lines of `cassette session`: what they ask for, and which of them are turned down.
#include "cli/session/requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/session/verify_request.h"

namespace cassette {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

template <typename Request>
Request parsed(Parsed<Request> (*parse)(const Arguments&), const Arguments& arguments) {
  Parsed<Request> result = parse(arguments);
  EXPECT_TRUE(std::holds_alternative<Request>(result)) << testing::PrintToString(arguments);
  return std::holds_alternative<Request>(result) ? std::get<Request>(result) : Request();
}

/// What is complained about.
template <typename Request>
std::string complaint(Parsed<Request> (*parse)(const Arguments&), const Arguments& arguments) {
  testing::internal::CaptureStderr();
  const Parsed<Request> result = parse(arguments);
  std::string text = testing::internal::GetCapturedStderr();
  const int* status = std::get_if<int>(&result);
  EXPECT_EQ(status != nullptr ? *status : kOk, kFailed) << testing::PrintToString(arguments);
  return text;
}

template <typename Request>
std::string help(Parsed<Request> (*parse)(const Arguments&)) {
  testing::internal::CaptureStdout();
  const Parsed<Request> result = parse({"--help"});
  std::string text = testing::internal::GetCapturedStdout();
  const int* status = std::get_if<int>(&result);
  EXPECT_EQ(status != nullptr ? *status : -1, kOk);
  return text;
}

TEST(SessionRequests, HelpTellsExitStatuses) {
  for (const std::string& text :
       {help(parse_unregister), help(parse_show), help(parse_history), help(parse_rewind),
        help(parse_advance), help(parse_purge), help(parse_verify)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("Usage: cassette session "), HasSubstr("--json"),
                            HasSubstr("Exit status: 0"), HasSubstr("7 there is no such session")));
  }
  EXPECT_THAT(help(parse_list), AllOf(HasSubstr("--json"), HasSubstr("Exit status: 0")));
  EXPECT_THAT(help(parse_register),
              AllOf(HasSubstr("--ttl DURATION"), HasSubstr("--max-sessions N"),
                    HasSubstr("5 it was registered already"), HasSubstr("6 the pool is full")));
}

TEST(SessionRequests, Register) {
  const auto bare = parsed(parse_register, {});
  EXPECT_EQ(bare.id, "");
  EXPECT_THAT(bare.overrides, IsEmpty());
  EXPECT_FALSE(bare.json);
  const auto full = parsed(parse_register, {"--ttl", "2m", "t1", "--json", "--max-sessions", "3"});
  EXPECT_EQ(full.id, "t1");
  EXPECT_THAT(full.overrides,
              ElementsAre(Pair("CASSETTE_SESSION_TTL", "2m"), Pair("CASSETTE_MAX_SESSIONS", "3")));
  EXPECT_TRUE(full.json);
  // Behind "--" nothing is a flag.
  EXPECT_EQ(parsed(parse_register, {"--", "--ttl"}).id, "--ttl");
}

TEST(SessionRequests, RegisterTurnsDownWhatTheSettingsDo) {
  EXPECT_THAT(
      complaint(parse_register, {"t1", "--ttl", "soon"}),
      AllOf(HasSubstr("--ttl"), HasSubstr("\"soon\""), HasSubstr("60s"), HasSubstr("500ms")));
  EXPECT_THAT(complaint(parse_register, {"t1", "--max-sessions", "0"}),
              AllOf(HasSubstr("--max-sessions"), HasSubstr("from 1 to 65535")));
  EXPECT_THAT(complaint(parse_register, {"t1", "t2"}), HasSubstr("t2"));
  EXPECT_THAT(complaint(parse_register, {""}), HasSubstr("ID must not be empty"));
}

TEST(SessionRequests, AnIdIsNeeded) {
  for (auto parse : {parse_unregister, parse_show, parse_history}) {
    EXPECT_EQ(parsed(parse, {"t1"}).id, "t1");
    EXPECT_TRUE(parsed(parse, {"t1", "--json"}).json);
    EXPECT_THAT(complaint(parse, {}), AllOf(HasSubstr("cassette: session "), HasSubstr("ID")));
    EXPECT_THAT(complaint(parse, {""}), HasSubstr("ID must not be empty"));
  }
  for (auto parse : {parse_rewind, parse_advance}) {
    EXPECT_THAT(complaint(parse, {}), HasSubstr("ID"));
    EXPECT_THAT(complaint(parse, {"", "w.yaml"}), HasSubstr("ID must not be empty"));
  }
}

TEST(SessionRequests, APositionIsOfACassetteOrOfAll) {
  EXPECT_EQ(parsed(parse_rewind, {"t1"}).cassette, std::nullopt);
  EXPECT_EQ(parsed(parse_rewind, {"t1", "w.yaml"}).cassette, "w.yaml");
  EXPECT_EQ(parsed(parse_advance, {"t1", "w.yaml"}).cassette, "w.yaml");
  EXPECT_THAT(complaint(parse_advance, {"t1"}), HasSubstr("CASSETTE is required"));
  // An empty variable in a script must not rewind everything.
  EXPECT_THAT(complaint(parse_rewind, {"t1", ""}), HasSubstr("CASSETTE must not be empty"));
}

TEST(SessionRequests, PurgeIsOfOneOrOfAll) {
  EXPECT_EQ(parsed(parse_purge, {"t1"}).id, "t1");
  EXPECT_EQ(parsed(parse_purge, {"--all"}).id, std::nullopt);
  for (const Arguments& arguments : {Arguments{}, Arguments{"t1", "--all"}})
    EXPECT_THAT(complaint(parse_purge, arguments), HasSubstr("the ID of one session, or --all"));
  EXPECT_THAT(complaint(parse_purge, {""}), HasSubstr("ID must not be empty"));
}

TEST(SessionRequests, VerifyTakesCriteria) {
  const auto request = parsed(
      parse_verify, {"t1", "--method", "get", "--host", "*.example.com:8080", "--path", "/a/*/b",
                     "--interaction", "3", "--cassette", "w.yaml", "--count", "2", "--json"});
  EXPECT_EQ(request.id, "t1");
  EXPECT_EQ(request.criteria.method, "get");
  EXPECT_EQ(request.criteria.host, "*.example.com:8080");
  EXPECT_EQ(request.criteria.path, "/a/*/b");
  EXPECT_EQ(request.criteria.interaction, std::nullopt);  // resolve() knows
  EXPECT_EQ(request.interaction, "3");
  EXPECT_EQ(request.cassette, "w.yaml");
  EXPECT_TRUE(request.json);
}

TEST(SessionRequests, VerifyTakesCounts) {
  auto expected = [](Arguments arguments) {
    arguments.insert(arguments.begin(), "t1");
    const ExpectedCount counts = parsed(parse_verify, arguments).expected;
    return std::pair(counts.least, counts.most);
  };
  EXPECT_THAT(expected({"--count", "0"}), Pair(0u, 0u));
  EXPECT_THAT(expected({"--count", "12"}), Pair(12u, 12u));
  EXPECT_THAT(expected({"--min", "2"}), Pair(2u, UINT64_MAX));
  EXPECT_THAT(expected({"--max", "4"}), Pair(0u, 4u));
  EXPECT_THAT(expected({"--max", "4", "--min", "2"}), Pair(2u, 4u));
}

TEST(SessionRequests, VerifyTurnsDownWhatCannotHold) {
  EXPECT_THAT(complaint(parse_verify, {"t1"}), HasSubstr("--count N, or --min N, --max N or both"));
  EXPECT_THAT(complaint(parse_verify, {"t1", "--method", "GET"}), HasSubstr("--count N"));
  for (const char* flag : {"--min", "--max"})
    EXPECT_THAT(complaint(parse_verify, {"t1", "--count", "1", flag, "1"}), HasSubstr("excludes"));
  EXPECT_THAT(complaint(parse_verify, {"t1", "--min", "3", "--max", "2"}),
              AllOf(HasSubstr("--min 3"), HasSubstr("--max 2")));
  for (const char* flag : {"--count", "--min", "--max"}) {
    for (const char* value : {"x", "1x", "", "1.5", "99999999999999999999"}) {
      EXPECT_THAT(complaint(parse_verify, {"t1", flag, value}),
                  AllOf(HasSubstr(flag), HasSubstr("a whole number, 0 or more")))
          << value;
    }
  }
}

TEST(SessionRequests, VerifyTurnsDownWhatNoRequestHas) {
  for (const char* flag : {"--method", "--host", "--path", "--interaction", "--cassette"}) {
    EXPECT_THAT(complaint(parse_verify, {"t1", "--count", "1", flag, ""}),
                HasSubstr(std::string(flag) + " must not be empty"));
  }
  for (const char* path : {"json", "/json?x=1", "http://h/json"}) {
    EXPECT_THAT(complaint(parse_verify, {"t1", "--count", "1", "--path", path}),
                AllOf(HasSubstr("--path"), HasSubstr(path), HasSubstr("without the query")));
  }
  EXPECT_EQ(parsed(parse_verify, {"t1", "--count", "1", "--path", "*json"}).criteria.path, "*json");
  for (const char* host : {"a/b", "http://a", "a,b", "h:x"}) {
    EXPECT_THAT(complaint(parse_verify, {"t1", "--count", "1", "--host", host}),
                AllOf(HasSubstr("--host"), HasSubstr(host), HasSubstr("*.domain")));
  }
  EXPECT_THAT(complaint(parse_verify, {"", "--count", "1"}), HasSubstr("ID must not be empty"));
}

}  // namespace
}  // namespace cassette
