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

bool hides_query(const Redactor& redactor, std::string_view text) {
  Parameter parameter;
  return next_parameter(text, parameter) && redactor.hides_query(parameter);
}

bool hides_form_field(const Redactor& redactor, std::string_view text) {
  Parameter parameter;
  return next_parameter(text, parameter) && redactor.hides_form_field(parameter);
}

constexpr char kToken[] = "s3cr3t-t0ken-0123";  // what looks like one

TEST(Redaction, HidesTheParametersThatFORMATSNames) {
  const Redactor redactor = by_default();
  for (const std::string name :
       {"access_token", "refresh_token", "id_token", "api_key", "apikey", "client_secret",
        "Password", "X-Amz-Signature", "accessToken", "api%5Fkey", "user[password]",
        "user%5Bpassword%5D", "password[]", "authorization"}) {
    EXPECT_TRUE(hides_query(redactor, name + "=x")) << name;
    EXPECT_TRUE(hides_form_field(redactor, name + "=x")) << name;
  }
  for (const std::string name : {"page", "tokens", "max_tokens", "keys", "q", "code", "[]", "]",
                                 "password[hint]", "key", "x[key]"}) {
    EXPECT_FALSE(hides_query(redactor, name + "=" + kToken)) << name;
    EXPECT_EQ(redactor.hides_body(name) == Hides::kAll, false) << name;
  }
}

TEST(Redaction, OrdinaryWordsHideWhatLooksLikeACredential) {
  const Redactor redactor = by_default();
  for (const std::string name : {"token", "TOKEN", "sig", "signature", "secret", "credentials",
                                 "jwt", "user[token]", "token[]", "to%6ben"}) {
    for (const std::string value :
         {"s3cr3t-t0ken-0123", "AbC%2Fdef%3D01234567", "abcdefghijklmno1", "<redacted>",
          "%3Credacted%3E", "Bearer%20abcdef12", "a+b/c+d=0123456789"}) {
      EXPECT_TRUE(hides_query(redactor, name + "=" + value)) << name << "=" << value;
      EXPECT_TRUE(hides_form_field(redactor, name + "=" + value)) << name << "=" << value;
    }
    for (const std::string value :
         {"", "alice", "PROJ-24", "abcdefghijklmnop", "1234567890123456", "abcdefghijklmn1",
          "two words and 1 digit", "2024-01-01T00:00:00Z", "Basic%20authentication"}) {
      EXPECT_FALSE(hides_query(redactor, name + "=" + value)) << name << "=" << value;
      EXPECT_FALSE(hides_form_field(redactor, name + "=" + value)) << name << "=" << value;
    }
  }
}

TEST(Redaction, AKeyIsACredentialWhereItIsOneOfGoogles) {
  const Redactor redactor = by_default();
  const std::string google = "AIzaSyA-0123456789_abcdefghijklmnopqrst";
  ASSERT_EQ(google.size(), 39u);
  EXPECT_TRUE(hides_query(redactor, "key=" + google));
  EXPECT_TRUE(hides_form_field(redactor, "KEY=" + google));
  EXPECT_TRUE(redactor.hides_form_field("key", google));
  EXPECT_FALSE(hides_query(redactor, "key=" + google + "u"));
  EXPECT_FALSE(hides_query(redactor, "key=" + google.substr(1)));
  EXPECT_FALSE(hides_query(redactor, std::string("key=") + kToken));
}

TEST(Redaction, NamesOfOnesOwnHideWhateverTheirValue) {
  const Redactor redactor({"X-Mine"}, {"Mine", "token", "key"}, {"mine", "key"});
  EXPECT_TRUE(redactor.hides_header("x-mine"));
  EXPECT_TRUE(hides_query(redactor, "mine=1"));
  EXPECT_TRUE(hides_query(redactor, "token=1"));
  EXPECT_TRUE(hides_query(redactor, "key=1"));
  EXPECT_EQ(redactor.hides_body("MINE"), Hides::kAll);
  EXPECT_EQ(redactor.redact_body("application/json", R"({"key":{"a":"b"}})"),
            R"({"key":{"a":"<redacted>"}})");
  EXPECT_FALSE(redactor.hides_header("Authorization"));
  EXPECT_FALSE(hides_query(redactor, "password=1"));
}

TEST(Redaction, AnEmptyListSwitchesItsPartOff) {
  const Redactor redactor({}, {}, {});
  Interaction i;
  i.uri = "http://h/p?password=a";
  i.request.headers.add("Authorization", "Bearer a");
  i.request.headers.add("Content-Type", "application/json");
  i.request.body = R"({"password":"a"})";
  redactor.redact(i);
  EXPECT_EQ(i.uri, "http://h/p?password=a");
  EXPECT_EQ(value_of(i.request.headers, "Authorization"), "Bearer a");
  EXPECT_EQ(i.request.body, R"({"password":"a"})");
  EXPECT_FALSE(redactor.any_body());
}

TEST(Redaction, UrisLoseCredentialsAndNothingElse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"http://h/p?a=1&password=x&b=2", "http://h/p?a=1&password=<redacted>&b=2"},
      {"http://h/p?PASSWORD=x", "http://h/p?PASSWORD=<redacted>"},
      {"http://h/p?password", "http://h/p?password"},
      {"http://h/p?password=", "http://h/p?password=<redacted>"},
      {"http://h/p?password=a=b", "http://h/p?password=<redacted>"},
      {"http://h/p?user%5Bpassword%5D=x&&y=%2f", "http://h/p?user%5Bpassword%5D=<redacted>&&y=%2f"},
      {"http://user:pass@h:8080/p", "http://h:8080/p"},
      {"http://user:p@ss@h/p@x", "http://h/p@x"},
      {"//user@h/p", "//h/p"},
      {"/p?api_key=x", "/p?api_key=<redacted>"},
      {"/p?to=http://a@b/c", "/p?to=http://a@b/c"},
      {"http://h/cb#access_token=x&state=1", "http://h/cb#access_token=<redacted>&state=1"},
      {"http://h/p?password=x#password=y", "http://h/p?password=<redacted>#password=<redacted>"},
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
      {"Authorization", "Bearer abc", "Bearer <redacted>"},
      {"Cookie", "a=1; b=2", "<redacted>"},
      {"Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=<redacted>; Path=/; HttpOnly"},
      {"set-cookie", "sid=", "sid=<redacted>"},
      {"Set-Cookie", "bare; Path=/a=b", "<redacted>; Path=/a=b"},
      {"Location", "https://u:p@h/cb?code=1&password=x", "https://h/cb?code=1&password=<redacted>"},
      {"Referer", "http://h/?api_key=x", "http://h/?api_key=<redacted>"},
      {"Link", "<http://h/?page=2&password=x>; rel=next, <http://h/?password=x&page=9>; rel=last",
       "<http://h/?page=2&password=<redacted>>; rel=next, <http://h/?password=<redacted>&page=9>; rel=last"},
      {"Accept", "*/*", "*/*"},
      {"X-Note", "password=x", "password=x"},
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
      {"application/json", R"({ "a" : 1.50, "passwd" :  "x" })",
       R"({ "a" : 1.50, "passwd" :  "<redacted>" })"},
      {"application/json", R"([{"a":{"b":[{"password":"x","c":null}]}}])",
       R"([{"a":{"b":[{"password":"<redacted>","c":null}]}}])"},
      {"application/json; charset=utf-8", R"({"apiKey":"x\"y","z":"t"})",
       R"({"apiKey":"<redacted>","z":"t"})"},
      {"application/json", R"({"passwd":12345,"pwd":-1.5e3,"n":1,"key":7})",
       R"({"passwd":0,"pwd":0,"n":1,"key":7})"},
      {"application/json", R"({"passwd":true,"pwd":null,"apikey":false,"api_key":""})",
       R"({"passwd":true,"pwd":null,"apikey":false,"api_key":""})"},
      {"application/json", R"({"passwd":["a",1,true,{"b":"c"}],"d":"e"})",
       R"({"passwd":["<redacted>",0,true,{"b":"<redacted>"}],"d":"e"})"},
      {"application/json", R"({"passwd":{},"d":"e"})", R"({"passwd":{},"d":"e"})"},
      {"application/json", R"({"pass\u0077d":"x"})", R"({"pass\u0077d":"<redacted>"})"},
      {"application/json", R"({"a":"\"passwd\":\"x\"","b":"{"})",
       R"({"a":"\"passwd\":\"x\"","b":"{"})"},
      {"application/json", R"({"max_tokens":5,"tokens":["a"]})",
       R"({"max_tokens":5,"tokens":["a"]})"},
      {"application/json", "{\"passwd\":\n\t\"x\"\n}", "{\"passwd\":\n\t\"<redacted>\"\n}"},
      // what a strict parser would turn down
      {"application/json", R"({"a":"\ud800","passwd":"x"})",
       R"({"a":"\ud800","passwd":"<redacted>"})"},
      {"application/json", R"({"a":123456789012345678901234567890,"passwd":"x"})",
       R"({"a":123456789012345678901234567890,"passwd":"<redacted>"})"},
      {"application/json", "\xef\xbb\xbf{\"passwd\":\"x\"}",
       "\xef\xbb\xbf{\"passwd\":\"<redacted>\"}"},
      {"application/json", "{\"a\":\"\xff\",\"passwd\":\"x\"}",
       "{\"a\":\"\xff\",\"passwd\":\"<redacted>\"}"},
      {"application/json", R"({"b":1,"passwd":"abc)", R"({"b":1,"passwd":"<redacted>)"},
      {"application/json", R"({"b":1,"passwd":)", R"({"b":1,"passwd":)"},
      {"application/json", "{\"private_key\":\"line\nline\"}", "{\"private_key\":\"<redacted>\"}"},
      {"application/x-ndjson", "{\"passwd\":\"x\"}\n{\"a\":\"broken}\n{\"passwd\":\"y\"}\n",
       "{\"passwd\":\"<redacted>\"}\n{\"a\":\"broken}\n{\"passwd\":\"<redacted>\"}\n"},
      {"application/x-amz-json-1.1", R"({"SecretAccessKey":"x"})",
       R"({"SecretAccessKey":"<redacted>"})"},
      {"application/vnd.api+json", R"({"passwd":"x"})", R"({"passwd":"<redacted>"})"},
      // labelled wrong, or not at all
      {"", R"({"passwd":"x"})", R"({"passwd":"<redacted>"})"},
      {"text/plain", R"( [{"passwd":"x"}])", R"( [{"passwd":"<redacted>"}])"},
      {"text/plain", R"(say "passwd":"x")", R"(say "passwd":"x")"},
      {"image/png", R"({"passwd":"x"})", R"({"passwd":"<redacted>"})"},
      // server-sent events
      {"text/event-stream",
       "event: a\ndata: {\"passwd\":\"x\"}\n\ndata: say \"hi\ndata:{\"pwd\":1}\r\n\r\n: \"key\":1\n",
       "event: a\ndata: {\"passwd\":\"<redacted>\"}\n\ndata: say \"hi\ndata:{\"pwd\":0}\r\n\r\n: \"key\":1\n"},
      // forms
      {"application/x-www-form-urlencoded", "grant_type=password&client_secret=a%20b&user=me",
       "grant_type=password&client_secret=<redacted>&user=me"},
      {"application/x-www-form-urlencoded; charset=UTF-8", "user%5Bpassword%5D=x&passwd",
       "user%5Bpassword%5D=<redacted>&passwd"},
      // multipart
      {"multipart/form-data; boundary=\"b b\"",
       "--b b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n"
       "--b b\r\ncontent-disposition: form-data; name=\"meta\"\r\ncontent-type: application/json\r\n\r\n"
       "{\"passwd\":\"x\"}\r\n"
       "--b b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\npassword=x\r\n--b b--\r\n",
       "--b b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n<redacted>\r\n"
       "--b b\r\ncontent-disposition: form-data; name=\"meta\"\r\ncontent-type: application/json\r\n\r\n"
       "{\"passwd\":\"<redacted>\"}\r\n"
       "--b b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\npassword=<redacted>\r\n--b b--\r\n"},
      {"multipart/form-data; boundary=b",
       "--b\r\nContent-Disposition: form-data; name=passwd\r\n\r\ncut off",
       "--b\r\nContent-Disposition: form-data; name=passwd\r\n\r\n<redacted>"},
      {"multipart/form-data", "--b\r\n\r\nx", "--b\r\n\r\nx"},
      // without an empty line there is no content: what was put there became a part of the head
      {"multipart/form-data; boundary=b",
       "--b\r\nContent-Disposition: form-data; name=passwd\r\n--b--\r\n",
       "--b\r\nContent-Disposition: form-data; name=passwd\r\n--b--\r\n"},
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
    std::string body = round % 2 == 0 ? "{\"passwd\":" : "--b\r\n";
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
  i.response.headers.add("Content-Length", "14");
  i.response.body = R"({"passwd":"x"})";
  by_default().redact(i);
  EXPECT_EQ(i.request.body, "password=<redacted>&a");
  EXPECT_EQ(value_of(i.request.headers, "Content-Length"), "21");
  EXPECT_EQ(i.response.body, R"({"passwd":"<redacted>"})");
  EXPECT_EQ(value_of(i.response.headers, "Content-Length"), "23");
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
  i.response.body = gzip(R"({"passwd":"x"})");
  i.response.headers.add("Content-Length", std::to_string(i.response.body.size()));
  i.chunks = {{0, 1}, {10, 2}};
  by_default().redact(i);
  EXPECT_EQ(i.response.body, R"({"passwd":"<redacted>"})");
  EXPECT_EQ(value_of(i.response.headers, "Content-Encoding"), "(absent)");
  EXPECT_EQ(value_of(i.response.headers, "Content-Length"), "23");
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
  const std::string second = "data: {\"passwd\":\"a-long-secret-value\"}\n\n";
  Interaction i;
  i.response.headers.add("Content-Type", "text/event-stream");
  i.response.body = first + second + first;
  i.chunks = {
      {0, 0}, {first.size(), 10}, {first.size() + 20, 15}, {first.size() + second.size(), 20}};
  by_default().redact(i);
  ASSERT_EQ(i.chunks.size(), 4u);
  EXPECT_EQ(i.chunks[1].offset, first.size());
  EXPECT_EQ(i.response.body.substr(i.chunks[2].offset), "\"}\n\n" + first)
      << "not within what was replaced";
  EXPECT_EQ(i.response.body.substr(i.chunks[3].offset), first);
  EXPECT_EQ(i.chunks[3].milliseconds, 20u);
}

TEST(Redaction, TheTargetAndTrailersAreNotForgotten) {
  Interaction i;
  i.request.target = "/p?passwd=x";
  i.request.trailers.add("X-Api-Key", "x");
  i.response.trailers.add("Set-Cookie", "a=x");
  by_default().redact(i);
  EXPECT_EQ(i.request.target, "/p?passwd=<redacted>");
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

// ---- what is replayed is what was recorded ----

constexpr char kJwt[] =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
constexpr char kJwtLeft[] = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.cmVkYWN0ZWQ";

TEST(Redaction, WhatIsNoCredentialStaysInAnAnswer) {
  const Redactor redactor = by_default();
  for (
      const std::string body :
      {R"({"key":"PROJ-24","n":{"key":1609459}})",
       R"({"buckets":[{"key":1609459200000,"doc_count":3},{"key":"error","doc_count":1}]})",
       R"({"tokens":[{"token":"quick","start_offset":4},{"token":"internationalization"}]})",
       R"({"license":{"key":"apache-2.0","name":"Apache License 2.0"}})",
       R"([{"Key":"env","Value":"prod"},{"key":"node.kubernetes.io/not-ready"}])",
       R"({"secret":{"name":"db","version":3},"credentials":{"type":"basic","user":"u"}})",
       R"({"authorization":{"id":"5O190127TN364715T","amount":{"value":12}}})",
       R"({"signature":"def f(x: int) -> str","sig":12,"token":null,"jwt":{"expires_in":3600}})"}) {
    EXPECT_EQ(redactor.redact_body("application/json", body, Side::kResponse), body);
  }
}

TEST(Redaction, WithinAContainerOfAnOrdinaryNameTheNamesDecide) {
  EXPECT_EQ(by_default().redact_body(
                "application/json",
                R"({"credentials":{"user":"me","password":"x","token":"s3cr3t-t0ken-0123"}})"),
            R"({"credentials":{"user":"me","password":"<redacted>","token":"<redacted>"}})");
}

TEST(Redaction, AJwtInAnAnswerStaysDecodable) {
  const Redactor redactor = by_default();
  const std::string body = std::string(R"({"id_token":")") + kJwt + R"(","n":1})";
  const std::string left = std::string(R"({"id_token":")") + kJwtLeft + R"(","n":1})";
  EXPECT_EQ(redactor.redact_body("application/json", body, Side::kResponse), left);
  EXPECT_EQ(redactor.redact_body("application/json", left, Side::kResponse), left);
  EXPECT_EQ(redactor.redact_body("application/json", body), R"({"id_token":"<redacted>","n":1})");
  Interaction i;
  i.uri = std::string("http://h/p?id_token=") + kJwt;
  i.request.headers.add("Authorization", std::string("Bearer ") + kJwt);
  i.response.headers.add("Location", std::string("/cb#id_token=") + kJwt);
  i.response.headers.add("X-Auth-Token", std::string("Bearer ") + kJwt);
  redactor.redact(i);
  EXPECT_EQ(i.uri, "http://h/p?id_token=<redacted>");
  EXPECT_EQ(value_of(i.request.headers, "Authorization"), "<redacted>");
  EXPECT_EQ(value_of(i.response.headers, "Location"), std::string("/cb#id_token=") + kJwtLeft);
  EXPECT_EQ(value_of(i.response.headers, "X-Auth-Token"), std::string("Bearer ") + kJwtLeft);
}

TEST(Redaction, OnePlaceholderForEachKindOfValue) {
  for (const std::string& value : {std::string("hunter2"), std::string(kJwt), std::string("a.b.c"),
                                   std::string("Bearer x"), std::string("Basic ") + kJwt}) {
    for (const Side side : {Side::kRequest, Side::kResponse}) {
      const std::string placeholder = placeholder_for(value, side);
      EXPECT_EQ(placeholder_for(placeholder, side), placeholder) << value;
      EXPECT_TRUE(is_placeholder(without_scheme(placeholder))) << value;
    }
  }
  EXPECT_EQ(placeholder_for(kJwt, Side::kResponse), kJwtLeft);
  EXPECT_FALSE(is_jwt("a.b.c"));
  EXPECT_FALSE(is_jwt("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0"));
  EXPECT_FALSE(is_jwt(std::string(kJwt) + ".x.y"));
}

TEST(Redaction, CountsTheValuesOfAnAnswer) {
  Interaction i;
  i.uri = "http://h/p?password=x";
  i.request.body = R"({"password":"x"})";
  i.response.headers.add("Set-Cookie", "a=b");
  i.response.headers.add("X-Api-Key", "x");
  i.response.headers.add("Location", "/p?access_token=x&api_key=y");
  i.response.body = R"({"password":"x","access_token":"y","apikey":1,"key":"z","pwd":null})";
  EXPECT_EQ(by_default().redact(i).response_values, 5u);
  EXPECT_EQ(by_default().redact(i).response_values, 0u) << "nothing is left";
}

// ---- no coding keeps a credential from being found ----

TEST(Redaction, ACodingThatIsNoneMeansPlainBytes) {
  for (const char* coding :
       {"utf-8", "UTF8", "none", "8bit", "binary", "chunked", "identity", "aws-chunked", "compress",
        "x-unheard-of", "gzip", "br", "zstd", "deflate", "utf-8, gzip", "gzip, utf-8"}) {
    Interaction i;
    for (Headers* headers : {&i.request.headers, &i.response.headers}) {
      headers->add("Content-Type", "application/json");
      headers->add("Content-Encoding", coding);
    }
    i.request.body = i.response.body = R"({"password":"hunter2"})";
    const Redaction redaction = by_default().redact(i);
    EXPECT_EQ(i.request.body, R"({"password":"<redacted>"})") << coding;
    EXPECT_EQ(i.response.body, R"({"password":"<redacted>"})") << coding;
    EXPECT_EQ(value_of(i.response.headers, "Content-Encoding"), coding);
    EXPECT_EQ(redaction.unsearched, "") << coding;
  }
}

TEST(Redaction, ATransferCodingIsUndone) {
  for (const auto& [field, left] : std::vector<std::pair<std::string, std::string>>{
           {"gzip, chunked", "chunked"}, {"gzip", "(absent)"}, {"x-gzip,chunked", "chunked"}}) {
    Interaction i;
    i.response.headers.add("Transfer-Encoding", field);
    i.response.body = gzip(R"({"password":"hunter2"})");
    by_default().redact(i);
    EXPECT_EQ(i.response.body, R"({"password":"<redacted>"})") << field;
    EXPECT_EQ(value_of(i.response.headers, "Transfer-Encoding"), left);
  }
  Interaction i;
  i.response.headers.add("Transfer-Encoding", "gzip, chunked");
  i.response.headers.add("Content-Encoding", "gzip");
  i.response.body = gzip(gzip(R"({"password":"hunter2"})"));
  by_default().redact(i);
  EXPECT_EQ(i.response.body, R"({"password":"<redacted>"})");
  EXPECT_EQ(value_of(i.response.headers, "Content-Encoding"), "(absent)");
  EXPECT_EQ(value_of(i.response.headers, "Transfer-Encoding"), "chunked");
}

TEST(Redaction, OfABodyThatWasCutShortWhatIsThereIsSearched) {
  std::string noise;
  std::uint32_t seed = 1;
  for (int n = 0; n < 4000; ++n) {
    seed = seed * 1664525 + 1013904223;
    noise += static_cast<char>('a' + (seed >> 16) % 26);
  }
  const std::string whole = gzip(R"({"password":"hunter2","a":")" + noise + "\"}");
  Interaction i;
  i.response.headers.add("Content-Encoding", "gzip");
  i.response.body = whole.substr(0, whole.size() / 2);
  by_default().redact(i);
  EXPECT_EQ(i.response.body.substr(0, 31),
            R"({"password":"<redacted>","a":")" + noise.substr(0, 1));
  EXPECT_EQ(value_of(i.response.headers, "Content-Encoding"), "(absent)");

  const std::string harmless = gzip(R"({"a":")" + noise + "\"}");
  i.response.headers.add("Content-Encoding", "gzip");
  i.response.body = harmless.substr(0, harmless.size() / 2);
  by_default().redact(i);
  EXPECT_EQ(i.response.body, harmless.substr(0, harmless.size() / 2)) << "else it stays as it came";
}

TEST(Redaction, SaysWhatItCannotSearch) {
  const std::string binary("\x1f\x9d\x90\x7b\xc4\x80\xe1\x03\xf0\x81\x9c\x01\x02\xfe", 14);
  Interaction i;
  i.response.headers.add("Content-Encoding", "compress");
  i.response.body = binary;
  EXPECT_EQ(by_default().redact(i).unsearched, "the response's body, coded as compress");
  EXPECT_EQ(i.response.body, binary);
  i.response.headers.clear();
  i.response.headers.add("Content-Type", "image/png");
  i.response.headers.add("Content-Encoding", "none");
  EXPECT_EQ(by_default().redact(i).unsearched, "") << "no coding is there";
}

std::string utf16(std::string_view text, bool little) {
  std::string result;
  for (const char c : text) {
    if (little) result += {c, '\0'};
    if (!little) result += {'\0', c};
  }
  return result;
}

TEST(Redaction, JsonIsFoundWhateverItIsCalledAndHoweverItIsWritten) {
  const std::string in = R"({"a":[1],"password":"hunter2"})";
  const std::string out = R"({"a":[1],"password":"<redacted>"})";
  const std::vector<BodyCase> cases = {
      {"application/octet-stream", in, out},
      {"binary/octet-stream", in, out},
      {"application/x-www-form-urlencoded", in, out},
      {"application/xml", in, out},
      {"", "\n " + in, "\n " + out},
      {"text/html", ")]}'\n" + in, ")]}'\n" + out},
      {"application/octet-stream", "[" + in + "]", "[" + out + "]"},
      {"application/json", utf16(in, true), utf16(out, true)},
      {"application/json", utf16(in, false), utf16(out, false)},
      {"application/json; charset=utf-16", "\xff\xfe" + utf16(in, true),
       "\xff\xfe" + utf16(out, true)},
      {"", "\xfe\xff" + utf16(in, false), "\xfe\xff" + utf16(out, false)},
      // within a string, and within a string of that
      {"application/json", R"({"body":"{\"password\": \"hunter2\",\"u\":\"\u00e9\/\"}","x":1})",
       R"({"body":"{\"password\": \"<redacted>\",\"u\":\"\u00e9\/\"}","x":1})"},
      {"application/json", R"(["[{\"b\":\"{\\\"password\\\":\\\"hunter2\\\",\\\"n\\\":1}\"}]"])",
       R"(["[{\"b\":\"{\\\"password\\\":\\\"<redacted>\\\",\\\"n\\\":1}\"}]"])"},
      {"application/json", R"({"body":"{\"pwd\":1234}"})", R"({"body":"{\"pwd\":0}"})"},
      {"application/json", R"({"say":"\"password\": \"x\""})", R"({"say":"\"password\": \"x\""})"},
      // a form, and JSON in one
      {"application/octet-stream", "user=me&password=hunter2", "user=me&password=<redacted>"},
      {"", "password=hunter2", "password=<redacted>"},
      {"application/json", "password=hunter2&a=b", "password=<redacted>&a=b"},
      {"application/x-www-form-urlencoded", "a=1&payload=%7B%22password%22%3A%22hunter2%22%7D",
       "a=1&payload=%7B%22password%22%3A%22<redacted>%22%7D"},
      {"text/plain", "the password=hunter2 is wrong", "the password=hunter2 is wrong"},
      // the chunks of an upload to S3 stay
      {"binary/octet-stream", "16\r\n{\"password\":\"hunter2\"}\r\n0\r\n",
       "16\r\n{\"password\":\"<redacted>\"}\r\n0\r\n"},
      {"application/json",
       "16;chunk-signature=ab12\r\n{\"password\":\"hunter2\"}\r\n0;chunk-signature=cd\r\n",
       "16;chunk-signature=ab12\r\n{\"password\":\"<redacted>\"}\r\n0;chunk-signature=cd\r\n"},
  };
  const Redactor redactor = by_default();
  for (const BodyCase& c : cases) {
    const std::string once = redactor.redact_body(c.type, c.body);
    EXPECT_EQ(once, c.expected) << c.type;
    EXPECT_EQ(redactor.redact_body(c.type, once), once) << "twice is as once";
  }
}

}  // namespace
}  // namespace cassette
