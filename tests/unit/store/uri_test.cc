// URIs and request targets: taken apart and put together.
#include "store/uri.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cassette {
namespace {

/// "scheme|user_info|host|port|path|query" or what is wrong.
std::string parts(const UriView& uri) {
  auto text = [](std::string_view view) { return std::string(view); };
  return text(uri.scheme) + "|" + text(uri.user_info) + "|" + text(uri.host) + "|" +
         std::to_string(uri.port) + "|" + text(uri.path) + "|" + (uri.has_query ? "?" : "") +
         text(uri.query);
}

TEST(ParseUri, TakesAnAbsoluteUriApart) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"http://h", "http||h|80||"},
      {"http://h/", "http||h|80|/|"},
      {"https://h/p?q=1", "https||h|443|/p|?q=1"},
      {"http://h:8080/p?", "http||h|8080|/p|?"},
      {"http://h:/p", "http||h|80|/p|"},
      {"http://h?q", "http||h|80||?q"},
      {"http://h/p#frag", "http||h|80|/p|"},
      {"http://h#frag/x?y", "http||h|80||"},
      {"http://h/p?a#frag?b", "http||h|80|/p|?a"},
      {"http://user:pa@ss@h:1/p", "http|user:pa@ss|h|1|/p|"},
      {"http://[::1]:81/p", "http||::1|81|/p|"},
      {"http://[2001:db8::1]", "http||2001:db8::1|80||"},
      {"http://[fe80::1%25eth0]/", "http||fe80::1%25eth0|80|/|"},
      {"HTTP://H/a%20b//c?x?y", "HTTP||H|80|/a%20b//c|?x?y"},
      {"http://h/p:8080/@x", "http||h|80|/p:8080/@x|"},
      {"ftp://h/p", "ftp||h|0|/p|"},
      {"wss://h", "wss||h|443||"},
      {"http://h/http://x", "http||h|80|/http://x|"},
  };
  for (const auto& [text, expected] : cases) {
    auto uri = parse_uri(text);
    ASSERT_TRUE(uri.ok()) << uri.error().message;
    EXPECT_EQ(parts(*uri), expected) << text;
  }
}

TEST(ParseUri, ViewsPointIntoTheText) {
  const std::string text = "http://host/path?query";
  auto uri = parse_uri(text);
  ASSERT_TRUE(uri.ok());
  EXPECT_EQ(uri->host.data(), text.data() + 7);
  EXPECT_EQ(uri->query.data(), text.data() + 17);
}

TEST(ParseUri, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "scheme"},
      {"/p", "scheme"},
      {"h/p", "scheme"},
      {"1http://h", "scheme"},
      {"http:/h", "scheme"},
      {"/a://h", "scheme"},
      {"http:///p", "no host"},
      {"http://:80/", "no host"},
      {"http://u@/", "no host"},
      {"http://h:x/", "port"},
      {"http://h:65536/", "port"},
      {"http://h:0/", "port"},
      {"http://h:80a/", "port"},
      {"http://[::1/", "no host"},
      {"http://[::1]x/", "port"},
      {"http://[]/", "no host"},
  };
  for (const auto& [text, reason] : cases) {
    auto uri = parse_uri(text);
    ASSERT_FALSE(uri.ok()) << text;
    EXPECT_NE(uri.error().message.find(reason), std::string::npos) << uri.error().message;
    EXPECT_NE(uri.error().message.find("\"" + text + "\""), std::string::npos)
        << uri.error().message;
  }
}

TEST(RequestUri, ComesFromTargetHostAndConnection) {
  struct Case {
    std::string method;
    std::string target;
    const char* host;  ///< nullptr: no Host header
    std::string expected;
  };
  const std::vector<Case> cases = {
      {"GET", "/p?q", "name", "http||name|8080|/p|?q"},
      {"GET", "/p", "name:81", "http||name|81|/p|"},
      {"GET", "/p", "[::1]:81", "http||::1|81|/p|"},
      {"GET", "/p", "[::1]", "http||::1|8080|/p|"},
      {"GET", "/p", nullptr, "http||10.0.0.1|8080|/p|"},
      {"GET", "/p", "", "http||10.0.0.1|8080|/p|"},
      {"GET", "/p", "na:me:1", "http||10.0.0.1|8080|/p|"},
      {"GET", "/p", "name:99999", "http||10.0.0.1|8080|/p|"},
      {"GET", "http://other:82/x?y", "name", "http||other|82|/x|?y"},
      {"GET", "https://other", "name", "https||other|443||"},
      {"GET", "//double/slash", "name", "http||name|8080|//double/slash|"},
      {"OPTIONS", "*", "name", "http||name|8080|*|"},
      {"CONNECT", "far:443", "name", "http||far|443||"},
      {"GET", "odd?x=1", "name", "http||name|8080|odd|?x=1"},
      {"GET", "/p#f?x", "name", "http||name|8080|/p|"},
      {"GET", "/r?to=http://x/y", "name", "http||name|8080|/r|?to=http://x/y"},
      {"GET", "", "name", "http||name|8080||"},
  };
  for (const Case& c : cases) {
    RequestMessage request;
    request.method = c.method;
    request.target = c.target;
    if (c.host != nullptr) request.headers.add("host", c.host);
    EXPECT_EQ(parts(request_uri(request, {"http", "10.0.0.1", 8080})), c.expected) << c.target;
  }
}

TEST(RequestUri, AnUnknownPortIsTheSchemesOwn) {
  RequestMessage request;
  request.target = "/";
  EXPECT_EQ(request_uri(request, {"https", "h", 0}).port, 443);
}

TEST(FormatUri, LeavesOutWhatIsUnderstood) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"http://h:80/p", "http://h/p"},
      {"https://h:443/p", "https://h/p"},
      {"https://h:80/p", "https://h:80/p"},
      {"http://u:p@h/p", "http://h/p"},
      {"http://h", "http://h/"},
      {"http://h?q", "http://h/?q"},
      {"http://h/p?", "http://h/p?"},
      {"http://[::1]:81/p#f", "http://[::1]:81/p"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(format_uri(*parse_uri(text)), expected);
}

TEST(FormatUri, WhatWasWrittenCanBeReadAgain) {
  for (const char* target : {"*", "", "odd", "/p?a=b", "//x", "http://o:1/p?"}) {
    RequestMessage request;
    request.method = "OPTIONS";
    request.target = target;
    const std::string text = format_uri(request_uri(request, {"http", "::1", 8080}));
    auto again = parse_uri(text);
    ASSERT_TRUE(again.ok()) << text;
    EXPECT_EQ(format_uri(*again), text);
  }
}

TEST(IsLocalhost, KnowsTheFourNames) {
  for (const char* name : {"localhost", "LocalHost", "127.0.0.1", "0.0.0.0", "::1"})
    EXPECT_TRUE(is_localhost(name));
  for (const char* name : {"", "127.0.0.2", "localhost.", "a.localhost", "::2"})
    EXPECT_FALSE(is_localhost(name));
}

}  // namespace
}  // namespace cassette
