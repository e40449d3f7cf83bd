// `cassette session verify`: which interaction is meant, which requests come closest, and what is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "cli/session/verify_answer.h"
#include "cli/session/verify_request.h"

namespace cassette {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

CassetteState cassette(const std::string& path, std::uint64_t key, std::vector<std::string> ids) {
  CassetteState state;
  state.counts.path = path;
  state.counts.interactions = ids.size();
  state.key = key;
  state.ids = std::move(ids);
  return state;
}

SessionState session(std::vector<CassetteState> cassettes) {
  SessionState state;
  state.id = "t1";
  state.cassettes = std::move(cassettes);
  return state;
}

VerifyRequest asked(std::optional<std::string> interaction,
                    std::optional<std::string> path = std::nullopt) {
  VerifyRequest request;
  request.id = "t1";
  request.interaction = std::move(interaction);
  request.cassette = std::move(path);
  return request;
}

/// "key/index from 0", or the error.
std::string resolved(const VerifyRequest& request, const SessionState& state) {
  const Result<Criteria> criteria = resolve(request, state, "/p");
  if (!criteria) return criteria.error().message;
  auto text = [](auto number) { return number ? std::to_string(*number) : std::string("-"); };
  return text(criteria->cassette) + "/" + text(criteria->interaction);
}

TEST(SessionVerify, InteractionIsAnIndexOrAnId) {
  const SessionState one = session({cassette("/p/w.yaml", 7, {"aa", "bb", "3", "dd"})});
  EXPECT_EQ(resolved(asked(std::nullopt), one), "-/-");
  EXPECT_EQ(resolved(asked("1"), one), "7/0");
  EXPECT_EQ(resolved(asked("4"), one), "7/3");
  EXPECT_EQ(resolved(asked("bb"), one), "7/1");
  // An id may consist of digits alone; ids go first.
  EXPECT_EQ(resolved(asked("3"), one), "7/2");
  for (const char* name : {"0", "5", "b", "99999999999999999999", "-1"}) {
    EXPECT_THAT(resolved(asked(name), one),
                AllOf(HasSubstr("--interaction"), HasSubstr(name), HasSubstr("an index from 1")))
        << name;
  }
  EXPECT_THAT(resolved(asked("1"), session({})), HasSubstr("it has opened none"));
}

TEST(SessionVerify, OfSeveralCassettesOneHasToBeMeant) {
  const SessionState two = session(
      {cassette("/p/a.yaml", 7, {"aa", "xx"}), cassette("/q/b.yaml", 8, {"bb", "xx", "cc"})});
  EXPECT_EQ(resolved(asked("bb"), two), "8/0");
  EXPECT_EQ(resolved(asked("3"), two), "8/2");
  for (const char* name : {"1", "xx"}) {
    EXPECT_THAT(resolved(asked(name), two),
                AllOf(HasSubstr("several"), HasSubstr("--cassette PATH"), HasSubstr("/p/a.yaml"),
                      HasSubstr("/q/b.yaml")));
  }
  EXPECT_EQ(resolved(asked("1", "a.yaml"), two), "7/0");
  EXPECT_EQ(resolved(asked("xx", "/q/b.yaml"), two), "8/1");
  EXPECT_THAT(resolved(asked("cc", "a.yaml"), two), HasSubstr("no cassette"));
}

TEST(SessionVerify, CassetteIsOneOfTheSession) {
  const SessionState two = session({cassette("/p/a.yaml", 7, {}), cassette("/p/d/", 8, {"aa"})});
  EXPECT_EQ(resolved(asked(std::nullopt, "../p/a.yaml"), two), "7/-");
  EXPECT_EQ(resolved(asked(std::nullopt, "d"), two), "8/-");
  EXPECT_EQ(resolved(asked("1", "/p/d/"), two), "8/0");
  EXPECT_THAT(resolved(asked(std::nullopt, "b.yaml"), two),
              AllOf(HasSubstr("has not opened /p/b.yaml"), HasSubstr("/p/a.yaml, /p/d/")));
}

TEST(SessionVerify, TheSentenceSaysWhatWasAsked) {
  VerifyRequest request = asked("3", "w.yaml");
  EXPECT_EQ(criteria_text(asked(std::nullopt)), "");
  request.criteria.method = "GET";
  request.criteria.host = "h:80";
  request.criteria.path = "/a\n";
  EXPECT_EQ(criteria_text(request),
            "method GET, host h:80, path /a\\n, interaction 3, cassette w.yaml");
  EXPECT_EQ(expected_text({2, 2}), "exactly 2");
  EXPECT_EQ(expected_text({2, UINT64_MAX}), "at least 2");
  EXPECT_EQ(expected_text({0, 3}), "at most 3");
  EXPECT_EQ(expected_text({0, 0}), "exactly 0");
  EXPECT_EQ(expected_text({2, 3}), "from 2 to 3");
}

/// Three requests, and as many others as are asked for.
class SessionVerifyAnswer : public testing::Test {
 protected:
  SessionVerifyAnswer() : state_(session({cassette("/p/w.yaml", 7, {"aa"})})) {
    add("GET", "http://h/json?x=1");
    add("GET", "http://h/json");
    add("POST", "http://h/json");
    history_.entries.back().interaction = 0;
    history_.entries.back().outcome = HistoryOutcome::kReplayed;
    request_.id = "t1";
    request_.criteria.method = "GET";
    request_.criteria.path = "/json";
  }

  void add(std::string_view method, std::string_view uri) {
    HistoryEntry entry;
    entry.method = method;
    entry.uri = uri;
    entry.cassette = 7;
    entry.outcome = HistoryOutcome::kRecorded;
    history_.entries.push_back(entry);
  }

  Answer answer(std::uint64_t least, std::uint64_t most, bool as_json = false) {
    request_.expected = {least, most};
    request_.json = as_json;
    return verify_answer(request_, request_.criteria, history_, state_, "/p");
  }

  std::vector<std::string> closest(const Criteria& criteria) const {
    std::vector<std::string> texts;
    for (const HistoryEntry& entry : closest_requests(history_, criteria))
      texts.push_back(std::string(entry.method) + " " + std::string(entry.uri));
    return texts;
  }

  SessionState state_;
  History::Contents history_;
  VerifyRequest request_;
};

TEST_F(SessionVerifyAnswer, Holds) {
  for (const auto& [least, most] : {std::pair(2, 2), std::pair(1, 2), std::pair(2, 9)}) {
    const Answer holds = answer(least, most);
    EXPECT_EQ(holds.status, kOk);
    EXPECT_EQ(holds.output, "session t1: 2 requests match method GET, path /json\n");
    EXPECT_EQ(holds.complaint, "");
  }
}

TEST_F(SessionVerifyAnswer, FailsWithTheClosestRequests) {
  add("PUT", "http://h/other");
  add("GET", "http://h/other");
  const Answer fails = answer(3, 3);
  EXPECT_EQ(fails.status, kDoesNotHold);
  EXPECT_EQ(fails.output, "");
  EXPECT_THAT(fails.complaint,
              testing::StartsWith(
                  "session t1: 2 requests match method GET, path /json; expected exactly 3\n"
                  "cassette: 5 of its 5 requests, the closest first:\n  "));
  EXPECT_NE(fails.complaint.back(), '\n');
  EXPECT_THAT(closest(request_.criteria),
              ElementsAre("GET http://h/json?x=1", "GET http://h/json", "POST http://h/json",
                          "GET http://h/other", "PUT http://h/other"));
  EXPECT_EQ(answer(0, 1).status, kDoesNotHold);
  EXPECT_THAT(answer(0, 1).complaint, HasSubstr("expected at most 1"));
}

TEST_F(SessionVerifyAnswer, TenAreEnough) {
  for (int i = 0; i < 20; ++i) add("GET", "http://h/other");
  add("GET", "http://h/json?last");
  const Answer fails = answer(9, 9);
  EXPECT_THAT(fails.complaint, HasSubstr("10 of its 24 requests"));
  EXPECT_EQ(std::count(fails.complaint.begin(), fails.complaint.end(), '\n'), 11);
  EXPECT_THAT(fails.complaint, HasSubstr("http://h/json?last"));
}

TEST_F(SessionVerifyAnswer, AnInteractionCountsWithItsCassette) {
  Criteria criteria;
  criteria.interaction = 0;
  criteria.cassette = 7;
  EXPECT_EQ(closest(criteria).front(), "POST http://h/json");
  request_ = asked("aa");
  request_.criteria = criteria;
  EXPECT_EQ(answer(1, 1).output, "session t1: 1 request matches interaction aa\n");
}

TEST_F(SessionVerifyAnswer, NothingWasHandled) {
  history_.entries.clear();
  EXPECT_THAT(closest(request_.criteria), IsEmpty());
  const Answer fails = answer(1, 1);
  EXPECT_EQ(fails.status, kDoesNotHold);
  EXPECT_THAT(fails.complaint, AllOf(HasSubstr("0 requests match"),
                                     HasSubstr("there is no request in its history")));
  request_.criteria = {};
  EXPECT_EQ(answer(0, 0).output, "session t1: 0 requests in all\n");
}

TEST_F(SessionVerifyAnswer, CannotBeToldWhenSomethingWasDropped) {
  history_.dropped = 4;
  const Answer unknown = answer(3, 3);
  EXPECT_EQ(unknown.status, kFailed);
  EXPECT_THAT(unknown.complaint,
              AllOf(HasSubstr("cannot be told"), HasSubstr("4 older requests were dropped")));
  // However many were dropped: there are enough, or too many.
  EXPECT_EQ(answer(2, UINT64_MAX).status, kOk);
  EXPECT_EQ(answer(0, 1).status, kDoesNotHold);
  EXPECT_THAT(answer(0, 1).complaint, Not(HasSubstr("cannot be told")));
}

TEST_F(SessionVerifyAnswer, AsJson) {
  auto parse = [](const Answer& answer) {
    rapidjson::Document document;
    document.Parse(answer.output.c_str());
    EXPECT_FALSE(document.HasParseError()) << answer.output;
    return document;
  };
  auto holds = parse(answer(1, UINT64_MAX, true));
  EXPECT_STREQ(holds["id"].GetString(), "t1");
  EXPECT_TRUE(holds["holds"].GetBool());
  EXPECT_EQ(holds["count"].GetInt(), 2);
  EXPECT_EQ(holds["min"].GetInt(), 1);
  EXPECT_TRUE(holds["max"].IsNull());
  EXPECT_EQ(holds["dropped"].GetInt(), 0);
  EXPECT_EQ(holds["closest"].Size(), 0u);
  const Answer fails = answer(0, 1, true);
  EXPECT_EQ(fails.status, kDoesNotHold);
  EXPECT_THAT(fails.complaint, HasSubstr("expected at most 1"));
  EXPECT_FALSE(parse(fails)["holds"].GetBool());
  EXPECT_EQ(parse(fails)["max"].GetInt(), 1);
  EXPECT_EQ(parse(fails)["closest"].Size(), 3u);
  history_.dropped = 4;
  EXPECT_TRUE(parse(answer(3, 3, true))["holds"].IsNull());
}

}  // namespace
}  // namespace cassette
