// No credential reaches the disk, and nothing else is changed on the way there.
#include "store/redaction/redaction.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

namespace cassette {
namespace {

Redactor by_default() {
  return {default_filter_headers(), default_filter_query(), default_filter_body()};
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string value_of(const Headers& headers, const char* name) {
  return std::string(headers.find(name).value_or("(absent)"));
}

TEST(Redaction, HidesTheHeadersThatFORMATSNames) {
  const Redactor redactor = by_default();
  for (const char* name : {"Authorization", "proxy-authorization", "COOKIE", "Set-Cookie",
                           "X-Api-Key", "Api-Key", "X-Auth-Token", "X-Amz-Security-Token"}) {
    EXPECT_TRUE(redactor.hides_header(name)) << name;
  }
  for (const char* name :
       {"", "Accept", "Host", "Content-Type", "ETag", "Authorizatio", "X-Authorization-Id"}) {
    EXPECT_FALSE(redactor.hides_header(name)) << name;
  }
}

TEST(Redaction, HidesTheParametersThatFORMATSNames) {
  const Redactor redactor = by_default();
  for (const char* name :
       {"token", "access_token", "refresh_token", "id_token", "api_key", "apikey", "KEY",
        "client_secret", "secret", "Password", "signature", "X-Amz-Signature", "accessToken",
        "api%5Fkey", "user[password]", "user%5Bpassword%5D", "token[]"}) {
    EXPECT_TRUE(redactor.hides_query(name)) << name;
    EXPECT_TRUE(redactor.hides_form_field(name)) << name;
  }
  for (const char* name :
       {"", "page", "tokens", "max_tokens", "keys", "q", "code", "[]", "]", "password[hint]"}) {
    EXPECT_FALSE(redactor.hides_query(name)) << name;
    EXPECT_FALSE(redactor.hides_body(name)) << name;
  }
}

TEST(Redaction, OwnNamesStandInPlaceOfTheDefaults) {
  const Redactor redactor({"X-Mine"}, {"Mine"}, {"mine"});
  EXPECT_TRUE(redactor.hides_header("x-mine"));
  EXPECT_TRUE(redactor.hides_query("mine"));
  EXPECT_TRUE(redactor.hides_body("MINE"));
  EXPECT_FALSE(redactor.hides_header("Authorization"));
  EXPECT_FALSE(redactor.hides_query("token"));
}

TEST(Redaction, AnEmptyListSwitchesItsPartOff) {
  const Redactor redactor({}, {}, {});
  Interaction i;
  i.uri = "http://h/p?token=a";
  i.request.headers.add("Authorization", "Bearer a");
  i.request.headers.add("Content-Type", "application/json");
  i.request.body = R"({"password":"a"})";
  redactor.redact(i);
  EXPECT_EQ(i.uri, "http://h/p?token=a");
  EXPECT_EQ(value_of(i.request.headers, "Authorization"), "Bearer a");
  EXPECT_EQ(i.request.body, R"({"password":"a"})");
  EXPECT_FALSE(redactor.any_body());
}

TEST(Redaction, UrisLoseCredentialsAndNothingElse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"http://h/p?a=1&token=x&b=2", "http://h/p?a=1&token=<redacted>&b=2"},
      {"http://h/p?TOKEN=x", "http://h/p?TOKEN=<redacted>"},
      {"http://h/p?token", "http://h/p?token"},
      {"http://h/p?token=", "http://h/p?token=<redacted>"},
      {"http://h/p?token=a=b", "http://h/p?token=<redacted>"},
      {"http://h/p?user%5Bpassword%5D=x&&y=%2f", "http://h/p?user%5Bpassword%5D=<redacted>&&y=%2f"},
      {"http://user:pass@h:8080/p", "http://h:8080/p"},
      {"http://user:p@ss@h/p@x", "http://h/p@x"},
      {"//user@h/p", "//h/p"},
      {"/p?api_key=x", "/p?api_key=<redacted>"},
      {"/p?to=http://a@b/c", "/p?to=http://a@b/c"},
      {"http://h/cb#access_token=x&state=1", "http://h/cb#access_token=<redacted>&state=1"},
      {"http://h/p?token=x#token=y", "http://h/p?token=<redacted>#token=<redacted>"},
      {"http://h/p?a#b", "http://h/p?a#b"},
      {"http://h/p?", "http://h/p?"},
      {"mailto:a@b", "mailto:a@b"},
      {"", ""},
  };
  const Redactor redactor = by_default();
  for (const auto& [uri, expected] : cases) {
    EXPECT_EQ(redactor.redact_uri(uri), expected);
    EXPECT_EQ(redactor.redact_uri(expected), expected) << "twice is as once";
  }
}

TEST(Redaction, HeadersLoseCredentialsAndKeepTheirOrder) {
  const std::vector<std::vector<std::string>> cases = {
      {"Authorization", "Bearer abc", "<redacted>"},
      {"Cookie", "a=1; b=2", "<redacted>"},
      {"Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=<redacted>; Path=/; HttpOnly"},
      {"set-cookie", "sid=", "sid=<redacted>"},
      {"Set-Cookie", "bare; Path=/a=b", "<redacted>; Path=/a=b"},
      {"Location", "https://u:p@h/cb?code=1&token=x", "https://h/cb?code=1&token=<redacted>"},
      {"Referer", "http://h/?api_key=x", "http://h/?api_key=<redacted>"},
      {"Link", "<http://h/?page=2&token=x>; rel=next, <http://h/?token=x&page=9>; rel=last",
       "<http://h/?page=2&token=<redacted>>; rel=next, <http://h/?token=<redacted>&page=9>; rel=last"},
      {"Accept", "*/*", "*/*"},
      {"X-Note", "token=x", "token=x"},
  };
  const Redactor redactor = by_default();
  Interaction i;
  for (const auto& c : cases) i.response.headers.add(c[0], c[1]);
  redactor.redact(i);
  ASSERT_EQ(i.response.headers.size(), cases.size());
  for (std::size_t n = 0; n < cases.size(); ++n) {
    EXPECT_EQ(i.response.headers.at(n).name, cases[n][0]);
    EXPECT_EQ(i.response.headers.at(n).value, cases[n][2]);
  }
  const Headers once = i.response.headers;
  redactor.redact(i);
  EXPECT_EQ(i.response.headers, once) << "twice is as once";
}

struct BodyCase {
  std::string type;
  std::string body;
  std::string expected;
};

TEST(Redaction, BodiesLoseCredentialsAndNoOtherByte) {
  const std::vector<BodyCase> cases = {
      // JSON, at any depth, blanks and order kept
      {"application/json", R"({ "a" : 1.50, "token" :  "x" })",
       R"({ "a" : 1.50, "token" :  "<redacted>" })"},
      {"application/json", R"([{"a":{"b":[{"password":"x","c":null}]}}])",
       R"([{"a":{"b":[{"password":"<redacted>","c":null}]}}])"},
      {"application/json; charset=utf-8", R"({"apiKey":"x\"y","z":"t"})",
       R"({"apiKey":"<redacted>","z":"t"})"},
      {"application/json", R"({"secret":12345,"key":-1.5e3,"n":1})",
       R"({"secret":"<redacted>","key":"<redacted>","n":1})"},
      {"application/json", R"({"secret":true,"key":null,"token":false})",
       R"({"secret":true,"key":null,"token":false})"},
      {"application/json", R"({"secret":["a",1,true,{"b":"c"}],"d":"e"})",
       R"({"secret":["<redacted>","<redacted>",true,{"b":"<redacted>"}],"d":"e"})"},
      {"application/json", R"({"secret":{},"d":"e"})", R"({"secret":{},"d":"e"})"},
      {"application/json", R"({"to\u006ben":"x"})", R"({"to\u006ben":"<redacted>"})"},
      {"application/json", R"({"a":"\"token\":\"x\"","b":"{"})",
       R"({"a":"\"token\":\"x\"","b":"{"})"},
      {"application/json", R"({"max_tokens":5,"tokens":["a"]})",
       R"({"max_tokens":5,"tokens":["a"]})"},
      {"application/json", "{\"token\":\n\t\"x\"\n}", "{\"token\":\n\t\"<redacted>\"\n}"},
      // what a strict parser would turn down
      {"application/json", R"({"a":"\ud800","token":"x"})",
       R"({"a":"\ud800","token":"<redacted>"})"},
      {"application/json", R"({"a":123456789012345678901234567890,"token":"x"})",
       R"({"a":123456789012345678901234567890,"token":"<redacted>"})"},
      {"application/json", "\xef\xbb\xbf{\"token\":\"x\"}",
       "\xef\xbb\xbf{\"token\":\"<redacted>\"}"},
      {"application/json", "{\"a\":\"\xff\",\"token\":\"x\"}",
       "{\"a\":\"\xff\",\"token\":\"<redacted>\"}"},
      {"application/json", R"({"b":1,"token":"abc)", R"({"b":1,"token":"<redacted>)"},
      {"application/json", R"({"b":1,"token":)", R"({"b":1,"token":)"},
      {"application/json", "{\"private_key\":\"line\nline\"}", "{\"private_key\":\"<redacted>\"}"},
      {"application/x-ndjson", "{\"token\":\"x\"}\n{\"a\":\"broken}\n{\"token\":\"y\"}\n",
       "{\"token\":\"<redacted>\"}\n{\"a\":\"broken}\n{\"token\":\"<redacted>\"}\n"},
      {"application/x-amz-json-1.1", R"({"SecretAccessKey":"x"})",
       R"({"SecretAccessKey":"<redacted>"})"},
      {"application/vnd.api+json", R"({"token":"x"})", R"({"token":"<redacted>"})"},
      // labelled wrong, or not at all
      {"", R"({"token":"x"})", R"({"token":"<redacted>"})"},
      {"text/plain", R"( [{"token":"x"}])", R"( [{"token":"<redacted>"}])"},
      {"text/plain", R"(say "token":"x")", R"(say "token":"x")"},
      {"image/png", R"({"token":"x"})", R"({"token":"x"})"},
      // server-sent events
      {"text/event-stream",
       "event: a\ndata: {\"token\":\"x\"}\n\ndata: say \"hi\ndata:{\"key\":1}\r\n\r\n: \"key\":1\n",
       "event: a\ndata: {\"token\":\"<redacted>\"}\n\ndata: say \"hi\ndata:{\"key\":\"<redacted>\"}\r\n\r\n: \"key\":1\n"},
      // forms
      {"application/x-www-form-urlencoded", "grant_type=password&client_secret=a%20b&user=me",
       "grant_type=password&client_secret=<redacted>&user=me"},
      {"application/x-www-form-urlencoded; charset=UTF-8", "user%5Bpassword%5D=x&token",
       "user%5Bpassword%5D=<redacted>&token"},
      // multipart
      {"multipart/form-data; boundary=\"b b\"",
       "--b b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n"
       "--b b\r\ncontent-disposition: form-data; name=\"meta\"\r\ncontent-type: application/json\r\n\r\n"
       "{\"token\":\"x\"}\r\n"
       "--b b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\npassword=x\r\n--b b--\r\n",
       "--b b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n<redacted>\r\n"
       "--b b\r\ncontent-disposition: form-data; name=\"meta\"\r\ncontent-type: application/json\r\n\r\n"
       "{\"token\":\"<redacted>\"}\r\n"
       "--b b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\npassword=x\r\n--b b--\r\n"},
      {"multipart/form-data; boundary=b",
       "--b\r\nContent-Disposition: form-data; name=token\r\n\r\ncut off",
       "--b\r\nContent-Disposition: form-data; name=token\r\n\r\n<redacted>"},
      {"multipart/form-data", "--b\r\n\r\nx", "--b\r\n\r\nx"},
      // without an empty line there is no content: what was put there became a part of the head
      {"multipart/form-data; boundary=b",
       "--b\r\nContent-Disposition: form-data; name=token\r\n--b--\r\n",
       "--b\r\nContent-Disposition: form-data; name=token\r\n--b--\r\n"},
  };
  const Redactor redactor = by_default();
  for (const BodyCase& c : cases) {
    const std::string once = redactor.redact_body(c.type, c.body);
    EXPECT_EQ(once, c.expected) << c.type;
    EXPECT_EQ(redactor.redact_body(c.type, once), once) << "twice is as once";
  }
}

TEST(Redaction, NoBodyHoweverBrokenStopsIt) {
  const std::string alphabet = "{}[]\":,\\ \n\ru0e-t&=%;--b";
  const Redactor redactor = by_default();
  std::uint32_t seed = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string body = round % 2 == 0 ? "{\"token\":" : "--b\r\n";
    for (int n = 0; n < 24; ++n) {
      seed = seed * 1664525 + 1013904223;
      body += alphabet[(seed >> 16) % alphabet.size()];
    }
    for (const char* type :
         {"application/json", "text/event-stream", "multipart/form-data; boundary=b",
          "application/x-www-form-urlencoded"}) {
      const std::string once = redactor.redact_body(type, body);
      ASSERT_EQ(redactor.redact_body(type, once), once) << type << ": " << body;
    }
  }
}

TEST(Redaction, TheContentLengthFollowsTheBody) {
  Interaction i;
  i.request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  i.request.headers.add("content-length", "14");
  i.request.body = "password=xyz&a";
  i.response.headers.add("Content-Type", "application/json");
  i.response.headers.add("Content-Length", "13");
  i.response.body = R"({"token":"x"})";
  by_default().redact(i);
  EXPECT_EQ(i.request.body, "password=<redacted>&a");
  EXPECT_EQ(value_of(i.request.headers, "Content-Length"), "21");
  EXPECT_EQ(i.response.body, R"({"token":"<redacted>"})");
  EXPECT_EQ(value_of(i.response.headers, "Content-Length"), "22");
}

TEST(Redaction, AnAnswerToHeadKeepsItsLength) {
  Interaction i;
  i.response.headers.add("Content-Length", "5000");
  by_default().redact(i);
  EXPECT_EQ(value_of(i.response.headers, "Content-Length"), "5000");
}

TEST(Redaction, CompressedBodiesAreSearchedDecoded) {
  Interaction i;
  i.response.headers.add("Content-Type", "application/json");
  i.response.headers.add("Content-Encoding", "gzip");
  i.response.body = gzip(R"({"token":"x"})");
  i.response.headers.add("Content-Length", std::to_string(i.response.body.size()));
  i.chunks = {{0, 1}, {10, 2}};
  by_default().redact(i);
  EXPECT_EQ(i.response.body, R"({"token":"<redacted>"})");
  EXPECT_EQ(value_of(i.response.headers, "Content-Encoding"), "(absent)");
  EXPECT_EQ(value_of(i.response.headers, "Content-Length"), "22");
  EXPECT_TRUE(i.chunks.empty());
}

TEST(Redaction, CompressedBodiesWithNothingToHideStayCompressed) {
  const std::string body = gzip(R"({"a":"x"})");
  Interaction i;
  i.response.headers.add("Content-Type", "application/json");
  i.response.headers.add("Content-Encoding", "gzip");
  i.response.body = body;
  i.chunks = {{0, 1}, {10, 2}};
  by_default().redact(i);
  EXPECT_EQ(i.response.body, body);
  EXPECT_EQ(value_of(i.response.headers, "Content-Encoding"), "gzip");
  EXPECT_EQ(i.chunks.size(), 2u);
}

TEST(Redaction, PiecesMoveWithTheBytesTheyBeginAt) {
  const std::string first = "data: {\"a\":1}\n\n";
  const std::string second = "data: {\"token\":\"a-long-secret-value\"}\n\n";
  Interaction i;
  i.response.headers.add("Content-Type", "text/event-stream");
  i.response.body = first + second + first;
  i.chunks = {
      {0, 0}, {first.size(), 10}, {first.size() + 20, 15}, {first.size() + second.size(), 20}};
  by_default().redact(i);
  ASSERT_EQ(i.chunks.size(), 4u);
  EXPECT_EQ(i.chunks[1].offset, first.size());
  EXPECT_EQ(i.response.body.substr(i.chunks[2].offset), "}\n\n" + first)
      << "not within what was replaced";
  EXPECT_EQ(i.response.body.substr(i.chunks[3].offset), first);
  EXPECT_EQ(i.chunks[3].milliseconds, 20u);
}

TEST(Redaction, TheTargetAndTrailersAreNotForgotten) {
  Interaction i;
  i.request.target = "/p?token=x";
  i.request.trailers.add("X-Api-Key", "x");
  i.response.trailers.add("Set-Cookie", "a=x");
  by_default().redact(i);
  EXPECT_EQ(i.request.target, "/p?token=<redacted>");
  EXPECT_EQ(value_of(i.request.trailers, "X-Api-Key"), "<redacted>");
  EXPECT_EQ(value_of(i.response.trailers, "Set-Cookie"), "a=<redacted>");
}

TEST(Redaction, TheDefaultsAreLowerCaseAndNamedOnce) {
  for (const auto* names :
       {&default_filter_headers(), &default_filter_query(), &default_filter_body()}) {
    for (std::size_t a = 0; a < names->size(); ++a) {
      EXPECT_EQ((*names)[a].find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ "), std::string::npos)
          << (*names)[a];
      for (std::size_t b = a + 1; b < names->size(); ++b) EXPECT_NE((*names)[a], (*names)[b]);
    }
  }
}

}  // namespace
}  // namespace cassette
