// Which requests are the same: the matchers of vcrpy, one by one.
#include "store/match/match.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "store/match/canonical_body.h"
#include "tests/unit/store/allocations.h"

namespace cassette {
namespace {

Redactor by_default() {
  return {default_filter_headers(), default_filter_query(), default_filter_body()};
}

/// A request that owns its parts.
struct Request {
  std::string method = "GET";
  std::string uri = "http://h/p";
  Headers headers;
  std::string body;

  RequestView view() const {
    auto parsed = parse_uri(uri);
    EXPECT_TRUE(parsed.ok()) << uri;
    return {method, parsed.ok() ? *parsed : UriView(), &headers, body};
  }
};

Request get(std::string uri) {
  Request request;
  request.uri = std::move(uri);
  return request;
}

Request post(const std::string& type, std::string body) {
  Request request;
  request.method = "POST";
  if (!type.empty()) request.headers.add("Content-Type", type);
  request.body = std::move(body);
  return request;
}

MatchOn nothing() {
  MatchOn on;
  on.method = on.scheme = on.host = on.port = on.path = on.query = false;
  return on;
}

Matcher matcher_on(bool MatchOn::*part) {
  MatchOn on = nothing();
  on.*part = true;
  return {on, by_default()};
}

void expect_same(const Matcher& matcher, const Request& a, const Request& b) {
  EXPECT_EQ(matcher.key(a.view()), matcher.key(b.view()))
      << a.uri << a.body << " / " << b.uri << b.body;
  EXPECT_TRUE(matcher.differences(a.view(), b.view()).empty());
}

void expect_different(const Matcher& matcher, const Request& a, const Request& b) {
  EXPECT_FALSE(matcher.key(a.view()) == matcher.key(b.view()))
      << a.uri << a.body << " / " << b.uri << b.body;
  EXPECT_FALSE(matcher.differences(a.view(), b.view()).empty());
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Match, ByDefaultTheseAreTheSame) {
  const Matcher matcher({}, by_default());
  for (const auto& [a, b] : Pairs{
           {"http://h/p", "http://h/p"},
           {"http://h/p", "HTTP://H/p"},
           {"http://h/p", "http://h:80/p"},
           {"http://h", "http://h/"},
           {"http://h/p", "http://user:pw@h/p"},
           {"http://h/p", "http://h/p?"},
           {"http://h/p?a=1&b=2", "http://h/p?b=2&a=1"},
           {"http://h/p?a=1&b=2&a=3", "http://h/p?b=2&a=1&a=3"},
           {"http://h/p?a=b+c", "http://h/p?a=b%20c"},
           {"http://h/p?a=%2f", "http://h/p?a=%2F"},
           {"http://h/p?a=%41", "http://h/p?%61=A"},
           {"http://h/p?a", "http://h/p?a="},
           {"http://h/p?a&&b", "http://h/p?b&a&"},
           {"http://h/p%2fq", "http://h/p%2Fq"},
           {"http://h/%7Ep", "http://h/~p"},
           {"http://h/p%41", "http://h/pA"},
           {"http://h/%3credacted%3E/p", "http://h/<redacted>/p"},
           {"http://h/p?password=one&a=1", "http://h/p?a=1&password=two"},
           {"http://h/p?password=one", "http://h/p?password=<redacted>"},
           {"http://localhost:81/p", "http://127.0.0.1:81/p"},
           {"http://0.0.0.0:81/p", "http://[::1]:81/p"},
           {"http://[2001:DB8::1]/p", "http://[2001:db8::1]/p"},
       }) {
    expect_same(matcher, get(a), get(b));
  }
}

TEST(Match, ByDefaultTheseDiffer) {
  const Matcher matcher({}, by_default());
  for (const auto& [a, b] : Pairs{
           {"http://h/p", "https://h/p"},
           {"http://h/p", "http://i/p"},
           {"http://h/p", "http://h:81/p"},
           {"http://h/p", "http://h/P"},
           {"http://h/p", "http://h/p/"},
           {"http://h/p/q", "http://h/p%2Fq"},
           {"http://h/pA", "http://h/p%61"},
           {"http://h/p%25", "http://h/p%"},
           {"http://h/p?a=1&a=2", "http://h/p?a=2&a=1"},
           {"http://h/p?a=1&%61=2", "http://h/p?a=2&%61=1"},
           {"http://h/p?a=1", "http://h/p?a=2"},
           {"http://h/p?a=1", "http://h/p?b=1"},
           {"http://h/p?a=1", "http://h/p?a=1&a=1"},
           {"http://h/p?a=1", "http://h/p?A=1"},
           {"http://h/p?a=1", "http://h/p"},
           {"http://h/p?a=1&b=2", "http://h/p?a=2&b=1"},
           {"http://h/p?ab=c", "http://h/p?a=bc"},
           {"http://h/p?a=%26", "http://h/p?a=&"},
           {"http://h/p?a=1&b=2", "http://h/p?a=1%26b=2"},
           {"http://h/p?password=one", "http://h/p"},
           {"http://127.0.0.1/p", "http://127.0.0.2/p"},
       }) {
    expect_different(matcher, get(a), get(b));
  }
  Request lower = get("http://h/p");
  lower.method = "get";
  expect_different(matcher, get("http://h/p"), lower);
}

TEST(Match, ByDefaultBodyAndHeadersDoNotMatter) {
  const Matcher matcher({}, by_default());
  EXPECT_FALSE(matcher.needs_body());
  EXPECT_FALSE(matcher.compares_headers());
  expect_same(matcher, post("application/json", "{}"), post("text/plain", "else"));
}

TEST(Match, ComponentsDoNotRunIntoEachOther) {
  const Matcher matcher({}, by_default());
  Request a = get("http://h/p");
  Request b = get("http://h/p");
  a.method = "GETh";
  a.uri = "ttp://h/p";
  b.method = "GET";
  b.uri = "http://h/p";
  EXPECT_FALSE(matcher.key(a.view()) == matcher.key(b.view()));
  EXPECT_FALSE(matcher.key(get("http://ab/c").view()) == matcher.key(get("http://a/b/c").view()));
}

TEST(Match, EachPartAloneLooksAtNothingElse) {
  struct Case {
    bool MatchOn::*part;
    std::string other;  ///< differs from http://h/p?a=1 in that part only
  };
  const std::vector<Case> cases = {
      {&MatchOn::scheme, "ws://h:80/p?a=1"}, {&MatchOn::host, "http://i/p?a=1"},
      {&MatchOn::port, "http://h:81/p?a=1"}, {&MatchOn::path, "http://h/q?a=1"},
      {&MatchOn::query, "http://h/p?a=2"},
  };
  for (const Case& matched : cases) {
    const Matcher matcher = matcher_on(matched.part);
    for (const Case& changed : cases) {
      if (changed.part == matched.part) {
        expect_different(matcher, get("http://h/p?a=1"), get(changed.other));
      } else {
        expect_same(matcher, get("http://h/p?a=1"), get(changed.other));
      }
    }
  }
}

TEST(Match, UriIsAllOfItInTheOrderWritten) {
  const Matcher matcher = matcher_on(&MatchOn::uri);
  expect_same(matcher, get("http://h/p?a=1&b=%2f"), get("http://H:80/p?a=1&b=%2F"));
  expect_same(matcher, get("http://h/~p?a=%7E"), get("http://h/%7Ep?a=~"));
  expect_same(matcher, get("http://h/p?password=1"), get("http://h/p?password=2"));
  expect_same(matcher, get("http://localhost/p"), get("http://127.0.0.1/p"));
  expect_different(matcher, get("http://h/p?a=1&b=2"), get("http://h/p?b=2&a=1"));
  expect_different(matcher, get("http://h/p?a"), get("http://h/p?a="));
  expect_different(matcher, get("http://h/p"), get("http://h/p?"));
  expect_different(matcher, get("http://h/p"), get("https://h/p"));
}

TEST(Match, ATargetOfAsteriskMatchesWhatIsRecordedOfIt) {
  const Matcher matcher({}, by_default());
  RequestMessage request;
  request.method = "OPTIONS";
  request.target = "*";
  const UriView uri = request_uri(request, {"http", "h", 80});
  const std::string recorded = format_uri(uri);
  EXPECT_EQ(matcher.key({request.method, uri, nullptr, {}}),
            matcher.key({request.method, *parse_uri(recorded), nullptr, {}}));
}

TEST(Match, BodiesAreComparedByWhatTheyMean) {
  const Matcher matcher = matcher_on(&MatchOn::body);
  EXPECT_TRUE(matcher.needs_body());
  const std::string json = "application/json";
  const std::string form = "application/x-www-form-urlencoded";
  struct Case {
    std::string type;
    std::string a;
    std::string b;
    bool same;
  };
  const std::vector<Case> cases = {
      {json, R"({"a":1,"b":[1,2]})", R"({ "b" : [1, 2], "a" : 1 })", true},
      {json, R"({"a":{"x":1,"y":2}})", R"({"a":{"y":2,"x":1}})", true},
      {json, R"({"a":"A\n"})", R"({"a":"\u0041\u000a"})", true},
      {json, R"({"a":1})", R"({"a":1.0})", true},
      {json, R"({"a":100})", R"({"a":1e2})", true},
      {json, R"({"a":0.1})", R"({"a":0.10})", true},
      {json, R"({"a":1,"a":2})", R"({"a":2})", true},
      {json, R"({"a":-0.0})", R"({"a":0})", true},
      {json, R"({"password":"x","a":1})", R"({"a":1,"password":"y"})", true},
      {json, R"([1,2])", R"([2,1])", false},
      {json, R"({"a":1})", R"({"a":"1"})", false},
      {json, R"({"a":1})", R"({"a":2})", false},
      {json, R"({"a":null})", R"({})", false},
      {json, R"({"a":18446744073709551615})", R"({"a":18446744073709551614})", false},
      {json, R"({"a":[]})", R"({"a":{}})", false},
      {json, R"([])", R"([[]])", false},
      {json, R"({"a":)", R"({"a":)", true},
      {json, R"({"a":)", R"({ "a":)", false},
      {json + "; charset=utf-8", R"({"a":1, "b":2})", R"({"b":2, "a":1})", true},
      {form, "a=1&b=2", "b=2&a=1", true},
      {form, "a=x+y", "a=x%20y", true},
      {form, "password=x", "password=y", true},
      {form, "a=1", "a=2", false},
      {form, "a=1%26b=2", "a=1&b=2", false},
      {"text/plain", "a=1&b=2", "b=2&a=1", false},
      {"application/octet-stream", "x", "x", true},
      {"", "", "", true},
  };
  for (const Case& c : cases) {
    if (c.same) {
      expect_same(matcher, post(c.type, c.a), post(c.type, c.b));
    } else {
      expect_different(matcher, post(c.type, c.a), post(c.type, c.b));
    }
  }
}

TEST(Match, AMultipartBoundaryIsNoDifference) {
  const Matcher matcher = matcher_on(&MatchOn::body);
  auto form = [](const std::string& boundary, const std::string& value) {
    return post("multipart/form-data; boundary=" + boundary,
                "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + value +
                    "\r\n--" + boundary + "--\r\n");
  };
  expect_same(matcher, form("one", "x"), form("another-one", "x"));
  expect_different(matcher, form("one", "x"), form("one", "y"));
}

TEST(Match, JsonTooDeepForTheStackIsComparedAsBytes) {
  const std::string deep(5000, '[');
  EXPECT_EQ(canonical_body("application/json", deep + std::string(5000, ']')),
            deep + std::string(5000, ']'));
}

TEST(Match, ACompressedBodyIsComparedDecoded) {
  const std::string plain = R"({"a":1,"b":2})";
  std::string packed(compressBound(plain.size()), '\0');
  uLongf size = packed.size();
  ASSERT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(plain.data()), plain.size()),
            Z_OK);
  packed.resize(size);
  Request encoded = post("application/json", packed);
  encoded.headers.add("Content-Encoding", "deflate");
  expect_same(matcher_on(&MatchOn::body), encoded, post("application/json", R"({"b":2,"a":1})"));
}

TEST(Match, OneHeaderByName) {
  MatchOn on = nothing();
  on.header_names = {"authorization", "x-a"};
  const Matcher matcher(on, by_default());
  auto with = [](std::initializer_list<std::pair<const char*, const char*>> fields) {
    Request request;
    for (const auto& [name, value] : fields) request.headers.add(name, value);
    return request;
  };
  expect_same(matcher, with({{"X-A", "1"}, {"X-B", "1"}}), with({{"x-a", "1"}, {"x-b", "2"}}));
  expect_different(matcher, with({{"X-A", "1"}}), with({{"X-A", "2"}}));
  expect_different(matcher, with({{"X-A", ""}}), with({}));
  expect_different(matcher, with({{"X-A", "1"}, {"X-A", "2"}}), with({{"X-A", "1"}}));
  expect_same(matcher, with({{"X-A", "1"}, {"X-A", "2"}}), with({{"x-a", "1, 2"}}));
  expect_same(matcher, with({{"Authorization", "one"}}), with({{"Authorization", "two"}}));
  expect_different(matcher, with({{"Authorization", "one"}}), with({}));
}

TEST(Match, HeadersOfTheRecordingAreASubsetOfTheIncoming) {
  const Matcher matcher = matcher_on(&MatchOn::headers);
  EXPECT_TRUE(matcher.compares_headers());
  Headers recorded;
  recorded.add("Accept", "a");
  recorded.add("Accept", "b");
  recorded.add("Authorization", "<redacted>");
  recorded.add("Referer", "http://h/?password=<redacted>");
  recorded.add("Content-Length", "10");
  Headers incoming;
  incoming.add("X-More", "1");
  incoming.add("referer", "http://h/?password=secret");
  incoming.add("accept", "a");
  incoming.add("authorization", "Bearer secret");
  incoming.add("accept", "b");
  incoming.add("content-length", "3");
  EXPECT_TRUE(matcher.headers_match(recorded, incoming));
  EXPECT_FALSE(matcher.headers_match(incoming, recorded));

  Headers without = recorded;
  incoming.clear();
  incoming.add("Accept", "b");
  incoming.add("Accept", "a");
  incoming.add("Authorization", "x");
  incoming.add("Referer", "http://h/?password=x");
  EXPECT_FALSE(matcher.headers_match(recorded, incoming)) << "the order of equal names counts";

  EXPECT_TRUE(Matcher({}, by_default()).headers_match(recorded, incoming))
      << "unless headers are in match_on";
}

TEST(Match, TheOrderOfManyParametersOfOneNameCounts) {
  // More than are kept without memory.
  std::string forwards = "http://h/p?x=0";
  std::string backwards = forwards;
  for (int i = 0; i < 100; ++i) {
    forwards += "&a=" + std::to_string(i);
    backwards += "&a=" + std::to_string(99 - i);
  }
  const Matcher matcher({}, by_default());
  expect_different(matcher, get(forwards), get(backwards));
  expect_same(matcher, get(forwards + "&x=1"), get("http://h/p?x=0&x=1" + forwards.substr(14)));
  const auto differences =
      matcher.differences(get("http://h/p?a=1&a=2").view(), get("http://h/p?a=2&a=1").view());
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].recorded, "a=1&a=2");
  EXPECT_EQ(differences[0].actual, "a=2&a=1");
}

TEST(Match, ABoundaryInContentTypeIsNoDifference) {
  MatchOn on = nothing();
  on.headers = true;
  on.header_names = {"content-type"};
  const Matcher matcher(on, by_default());
  const Request one = post("multipart/form-data; boundary=----x1", "");
  const Request other = post("multipart/mixed; boundary=----x1", "");
  EXPECT_TRUE(
      matcher.headers_match(one.headers, post("multipart/form-data; boundary=----y", "").headers));
  EXPECT_FALSE(matcher.headers_match(one.headers, other.headers));
  expect_same(matcher, one, post("multipart/form-data; boundary=----z", ""));
  expect_different(matcher, one, other);
}

TEST(Match, DifferencesNameTheFieldsAndShowWhatDiffers) {
  MatchOn on;
  on.body = on.headers = true;
  on.header_names = {"x-version"};
  const Matcher matcher(on, by_default());
  Request recorded = post("application/json", R"({"name":"one","password":"p1"})");
  recorded.uri = "http://h:81/p?page=1&same=x&password=t1";
  recorded.headers.add("X-Version", "1");
  Request incoming = post("application/json", R"({"name":"two","password":"p2"})");
  incoming.method = "PUT";
  incoming.uri = "https://i/q?page=2&same=x&new=%C3%A4&password=t2";
  incoming.headers.add("Authorization", "secret");
  std::vector<std::vector<std::string>> shown;
  for (const Difference& d : matcher.differences(recorded.view(), incoming.view())) {
    shown.push_back({d.field, d.recorded, d.actual});
  }
  EXPECT_EQ(shown, (std::vector<std::vector<std::string>>{
                       {"method", "POST", "PUT"},
                       {"scheme", "http", "https"},
                       {"host", "h", "i"},
                       {"port", "81", "443"},
                       {"path", "/p", "/q"},
                       {"query", "page=1", "new=%C3%A4&page=2"},
                       {"body", R"({"name":"one","password":"<redacted>"})",
                        R"({"name":"two","password":"<redacted>"})"},
                       {"header:x-version", "1", "(none)"},
                   }));
}

TEST(Match, ADiagnosisShowsNoSecret) {
  MatchOn on;
  on.uri = on.body = on.headers = true;
  on.header_names = {"authorization", "cookie"};
  const Matcher matcher(on, by_default());
  Request a = post("application/json", R"({"x":1,"password":"hunter2"})");
  a.uri = "http://u:hunter2@h/p?password=hunter2&a=1";
  a.headers.add("Authorization", "hunter2");
  Request b = post("application/x-www-form-urlencoded", "password=hunter2&a=1");
  b.uri = "http://u:hunter2@i/q?api_key=hunter2&a=2";
  b.headers.add("Cookie", "hunter2");
  const auto differences = matcher.differences(a.view(), b.view());
  EXPECT_GE(differences.size(), 6u);
  for (const Difference& d : differences) {
    EXPECT_EQ((d.recorded + d.actual).find("hunter2"), std::string::npos) << d.field;
  }
}

TEST(Match, ALongBodyIsShownWhereItDiffers) {
  const Matcher matcher = matcher_on(&MatchOn::body);
  const std::string filler(5000, 'x');
  const auto text = matcher.differences(post("text/plain", filler + "1" + filler).view(),
                                        post("text/plain", filler + "2" + filler).view());
  ASSERT_EQ(text.size(), 1u);
  EXPECT_NE(text[0].recorded.find("x1x"), std::string::npos);
  EXPECT_NE(text[0].actual.find("x2x"), std::string::npos);
  EXPECT_LT(text[0].actual.size(), 300u);
  const auto binary =
      matcher.differences(post("", std::string("\0\1\2", 3)).view(), post("", "").view());
  ASSERT_EQ(binary.size(), 1u);
  EXPECT_EQ(binary[0].recorded, "3 bytes, different from byte 0 on");
  EXPECT_EQ(binary[0].actual, "(none)");
}

TEST(Match, KeysDoNotDependOnHowLongARequestIs) {
  // The hash takes another way past its buffer; the parts must stay told apart there too.
  const Matcher matcher({}, by_default());
  for (std::size_t size : {400u, 480u, 500u, 511u, 512u, 513u, 600u, 5000u, 100000u}) {
    const std::string path(size, 'p');
    expect_same(matcher, get("http://h/" + path), get("http://h/" + path));
    expect_different(matcher, get("http://h/" + path), get("http://h/" + path + "p"));
    expect_same(matcher, get("http://h/?a=" + path + "&b"), get("http://h/?b&a=" + path));
    expect_same(matcher, get("http://h/?a=%70" + path), get("http://h/?a=p" + path));
    expect_different(matcher, get("http://h/?a=" + path), get("http://h/?a=" + path + "&b"));
  }
}

TEST(Match, ByDefaultAKeyAllocatesNothing) {
  if (!kCountsAllocations) GTEST_SKIP() << "a sanitizer brings its own malloc()";
  const Matcher matcher({}, by_default());
  std::string query = "password=x";
  for (int i = 0; i < 63; ++i)
    query += "&parameter" + std::to_string(i) + "=value%20" + std::to_string(i);
  const std::string uri = "http://localhost:8080/" + std::string(2000, 'p') + "?" + query;
  Request request = get(uri);
  const RequestView view = request.view();
  std::size_t before = allocations();
  const MatchKey key = matcher.key(view);
  EXPECT_EQ(allocations(), before);
  EXPECT_NE(key.low, 0u);

  RequestMessage message;
  message.method = "GET";
  message.target = "/p?a=1";
  message.headers.add("Host", "h:81");
  before = allocations();
  const UriView parsed = request_uri(message, {"http", "h", 81});
  auto again = parse_uri(uri);
  EXPECT_EQ(allocations(), before);
  EXPECT_TRUE(again.ok() && parsed.port == 81);

  before = allocations();
  const std::string counted(1000, 'x');
  EXPECT_GT(allocations(), before) << "the counter works";
}

}  // namespace
}  // namespace cassette
