// What the tests of files and formats share: a directory of their own, interactions, and strings that
// have caught somebody out.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "store/interaction.h"

namespace cassette {

class DirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/cassette-formats-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  /// All names in the directory, hidden ones too, sorted.
  std::vector<std::string> names(const std::string& below = "") const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/" + below)) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  std::string directory_;
};

inline Interaction sample_interaction(const std::string& uri = "http://h/p?q=1",
                                      const std::string& body = "text") {
  Interaction result;
  result.request.method = "GET";
  result.uri = uri;
  result.request.headers.add("Accept", "*/*");
  result.response.status = 200;
  result.response.reason = "OK";
  result.response.headers.add("Content-Type", "application/json");
  result.response.body = body;
  return result;
}

/// Empty when both say the same; else what differs.
inline std::string difference(const Interaction& a, const Interaction& b) {
  if (a.request.method != b.request.method) return "method";
  if (a.uri != b.uri) return "uri";
  if (!(a.request.headers == b.request.headers)) return "request headers";
  if (a.request_has_body != b.request_has_body) return "whether there is a request body";
  if (a.request.body != b.request.body) return "request body";
  if (a.error != b.error) return "error";
  if (!(a.redacted == b.redacted)) return "redacted";
  if (a.recorded_at != b.recorded_at) return "recorded_at";
  if (!a.error.empty()) return "";
  if (a.response.status != b.response.status) return "status";
  if (a.response.reason != b.response.reason) return "reason";
  if (!(a.response.version == b.response.version)) return "version";
  if (!(a.response.headers == b.response.headers)) return "response headers";
  if (!(a.response.trailers == b.response.trailers)) return "trailers";
  if (a.response.body != b.response.body) return "response body";
  if (a.chunks != b.chunks) return "chunks";
  if (a.first_byte_milliseconds != b.first_byte_milliseconds) return "first byte";
  if (a.end != b.end) return "end";
  if (a.closes != b.closes) return "closes";
  if (a.informational.size() != b.informational.size()) return "informational";
  for (std::size_t i = 0; i < a.informational.size(); ++i) {
    const InformationalResponse& one = a.informational[i];
    const InformationalResponse& other = b.informational[i];
    if (one.status != other.status || one.reason != other.reason ||
        one.milliseconds != other.milliseconds || !(one.headers == other.headers)) {
      return "informational";
    }
  }
  return "";
}

/// Pieces that YAML or JSON give a meaning, or that a reader mistreats.
inline const std::vector<std::string>& tricky_pieces() {
  static const std::vector<std::string> kPieces = {"a",
                                                   "word",
                                                   " ",
                                                   "  ",
                                                   "\n",
                                                   "\n\n",
                                                   "\t",
                                                   "\r",
                                                   "\r\n",
                                                   ":",
                                                   ": ",
                                                   " #",
                                                   "#",
                                                   "- ",
                                                   "-",
                                                   "? ",
                                                   "'",
                                                   "\"",
                                                   "\\",
                                                   "{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   "&",
                                                   "*",
                                                   "!",
                                                   "|",
                                                   ">",
                                                   "%",
                                                   "@",
                                                   "`",
                                                   "null",
                                                   "~",
                                                   "yes",
                                                   "1",
                                                   "0x1F",
                                                   "12:30",
                                                   "1.5",
                                                   "<<",
                                                   "=",
                                                   ".inf",
                                                   "---",
                                                   "...",
                                                   "\xC2\x85",
                                                   "\xC2\xA0",
                                                   "\xC3\xA9",
                                                   "\xE2\x80\xA8",
                                                   "\xE2\x80\xA9",
                                                   "\xEF\xBB\xBF",
                                                   "\xEF\xBF\xBE",
                                                   "\xF0\x9F\x98\x80",
                                                   "\xED\xA0\x80",
                                                   "\xFF",
                                                   "\xC2",
                                                   "\x01",
                                                   "\x04",
                                                   "\x1B",
                                                   "\x7F",
                                                   "\xC2\x80",
                                                   "\\n",
                                                   "x: |",
                                                   "- !!binary |",
                                                   std::string(1, '\0'),
                                                   "2024-01-01",
                                                   "{\"a\": 1}",
                                                   "data: x",
                                                   "|2-"};
  return kPieces;
}

class RandomInteractions {
 public:
  explicit RandomInteractions(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::string text() {
    std::string result;
    std::size_t count = below(20) == 0 ? below(40) : below(8);
    for (std::size_t i = 0; i < count; ++i) {
      result += below(20) == 0 ? std::string(1, static_cast<char>(below(256)))
                               : tricky_pieces()[below(tricky_pieces().size())];
    }
    return result;
  }
  std::string some_text() {
    std::string result;
    while (result.empty()) result = text();
    return result;
  }

  Interaction next() {
    Interaction result = sample_interaction();
    if (below(3) == 0) result.request.method = some_text();
    if (below(3) == 0) result.uri = some_text();
    result.request_has_body = below(2) == 0;
    if (result.request_has_body) result.request.body = text();
    result.request.headers.clear();
    // Fields of equal name stand together, as a cassette keeps them.
    std::vector<std::string> seen;
    for (std::size_t names = below(4); names > 0; --names) {
      std::string name = text();
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
      seen.push_back(name);
      for (std::size_t values = 1 + below(3); values > 0; --values) {
        result.request.headers.add(name, text());
      }
    }
    if (below(2) == 0)
      result.recorded_at = static_cast<std::int64_t>(random_() % 4102444800000000u);
    if (below(5) == 0) {
      result.redacted.key = digits(16);
      result.redacted.digests.push_back({"query", digits(4)});
      if (below(2) == 0) result.redacted.digests.push_back({"header:x-" + digits(9), digits(4)});
    }
    if (below(20) == 0) {
      result.error = "ECONNREFUSED";
      return result;
    }
    result.response.status = 200 + static_cast<int>(below(800));
    result.response.reason = text();
    result.response.body = text();
    result.response.headers.add("X", text());
    if (below(5) == 0) result.response.version = {1, 0};
    if (below(5) == 0) result.response.trailers.add("T", text());
    if (below(4) == 0) {
      for (std::uint64_t offset = 0; offset <= result.response.body.size();
           offset += 1 + below(3)) {
        result.chunks.push_back({offset, static_cast<std::uint32_t>(below(100000))});
      }
    }
    if (below(3) == 0) result.first_byte_milliseconds = static_cast<std::uint32_t>(below(100000));
    if (below(5) == 0) result.end = static_cast<ResponseEnd>(below(4));
    result.closes = below(5) == 0;
    if (below(5) == 0) {
      InformationalResponse early{103, text(), {}, static_cast<std::uint32_t>(below(3))};
      if (below(2) == 0) early.headers.add("Link", text());
      result.informational = {early, {102, "Processing", {}, 0}};
    }
    return result;
  }

 private:
  std::string digits(std::size_t count) {
    std::string text(count, '0');
    for (char& c : text) c = "0123456789abcdef"[below(16)];
    return text;
  }

  std::mt19937_64 random_;
};

}  // namespace cassette
