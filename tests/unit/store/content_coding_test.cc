// Content codings undone, and told from bodies that only claim to be coded.
#include "store/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace cassette {
namespace {

using namespace std::string_literals;

const char kText[] = "hello, content coding\n";
// The same text, by the tools of these codings; and three million times "a".
const std::string kBrotli =
    "\x1B\x15\x00\xF8\xA5\x15\x40\xC6\xDE\xF4\x20\x85\x28\xA2\x89\xE4\x40\x97\x8B\xD8\xA9\xB6\xB3\x00"s;
const std::string kZstd = "\x28\xB5\x2F\xFD\x00\x58\xB1\x00\x00hello, content coding\n"s;
const std::string kBrotliBomb = "\x9B\xBF\xC6\x2D\xF8\x25\xC2\xE2\xB1\x40\x20\xCF\xB7\x05";

std::string deflated(const std::string& text, int window) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string gzip(const std::string& text) { return deflated(text, 15 + 16); }
std::string zlib(const std::string& text) { return deflated(text, 15); }
std::string raw(const std::string& text) { return deflated(text, -15); }

std::string decoded(std::string_view coding, std::string_view body,
                    std::size_t limit = std::size_t{1} << 30) {
  auto result = decode_content(coding, body, limit);
  return result.ok() ? *result : "error: " + result.error().message;
}

TEST(DecodeContent, UndoesEachCoding) {
  EXPECT_EQ(decoded("", kText), kText);
  EXPECT_EQ(decoded("identity", kText), kText);
  EXPECT_EQ(decoded("gzip", gzip(kText)), kText);
  EXPECT_EQ(decoded("X-GZip", gzip(kText)), kText);
  EXPECT_EQ(decoded("deflate", zlib(kText)), kText);
  EXPECT_EQ(decoded("deflate", raw(kText)), kText);
  EXPECT_EQ(decoded("br", kBrotli), kText);
  EXPECT_EQ(decoded("zstd", kZstd), kText);
}

TEST(DecodeContent, UndoesTheLastCodingFirst) {
  EXPECT_EQ(decoded("deflate, gzip", gzip(zlib(kText))), kText);
  EXPECT_EQ(decoded(" gzip ,, identity,gzip ", gzip(gzip(kText))), kText);
}

TEST(DecodeContent, TakesSeveralMembersAndFrames) {
  EXPECT_EQ(decoded("gzip", gzip("a") + gzip("b")), "ab");
  EXPECT_EQ(decoded("gzip", gzip("a") + "\0\0\0"s), "a");
  EXPECT_EQ(decoded("zstd", kZstd + kZstd), std::string(kText) + kText);
}

TEST(DecodeContent, AnEmptyBodyIsEmpty) {
  for (const char* coding : {"gzip", "deflate", "br", "zstd"}) EXPECT_EQ(decoded(coding, ""), "");
}

TEST(DecodeContent, LargeBodies) {
  std::string large;
  for (int i = 0; i < 700000; ++i) large += "line " + std::to_string(i) + "\n";
  EXPECT_TRUE(decoded("gzip", gzip(large)) == large);
  EXPECT_TRUE(decoded("br", kBrotliBomb) == std::string(3000000, 'a'));
}

TEST(DecodeContent, RefusesWhatItCannotUndo) {
  EXPECT_EQ(
      decoded("compress", "x"),
      "error: the content coding \"compress\" is not known (known are gzip, deflate, br, zstd)");
  for (const std::string& body : {gzip(kText).substr(0, 15), "text"s, gzip(kText).substr(0, 5)}) {
    EXPECT_EQ(decoded("gzip", body).find("error: the body is not valid gzip"), 0u);
  }
  EXPECT_EQ(decoded("deflate", "text").find("error: the body is not valid deflate"), 0u);
  EXPECT_EQ(decoded("br", kBrotli.substr(0, 10)),
            "error: the body is not valid br: it ends too early");
  EXPECT_EQ(decoded("zstd", kZstd.substr(0, 10)),
            "error: the body is not valid zstd: it ends too early");
  EXPECT_EQ(decoded("zstd", "text").find("error: the body is not valid zstd"), 0u);
}

TEST(DecodeContent, StopsBombs) {
  EXPECT_EQ(decoded("br", kBrotliBomb, 1000000),
            "error: the br body decodes to more than 1000000 bytes");
  std::string million(1000000, 'a');
  EXPECT_EQ(decoded("gzip", gzip(million), 999999),
            "error: the gzip body decodes to more than 999999 bytes");
  EXPECT_TRUE(decoded("gzip", gzip(million), 1000000) == million);
}

TEST(IsEncoded, LooksAtTheBytes) {
  EXPECT_TRUE(is_encoded("gzip", gzip(kText)));
  EXPECT_TRUE(is_encoded("deflate", zlib(kText)));
  EXPECT_TRUE(is_encoded("deflate", raw(kText)));
  EXPECT_TRUE(is_encoded("br", kBrotli));
  EXPECT_TRUE(is_encoded("br", kBrotliBomb));
  EXPECT_TRUE(is_encoded("zstd", kZstd));
  EXPECT_TRUE(is_encoded("deflate, gzip", gzip(zlib(kText))));
  // Cut short is still coded.
  EXPECT_TRUE(is_encoded("gzip", gzip(kText).substr(0, 12)));
  EXPECT_TRUE(is_encoded("br", kBrotli.substr(0, 20)));
  for (const char* coding : {"gzip", "deflate", "br", "zstd"}) {
    EXPECT_FALSE(is_encoded(coding, "")) << coding;
    for (const char* body : {kText, "{\"a\": 1}", "{}", "x^2 + 1", "<html><body>x</body></html>",
                             "a", "hello world hello world hello world hello world"}) {
      EXPECT_FALSE(is_encoded(coding, body)) << coding << " " << body;
    }
  }
  EXPECT_FALSE(is_encoded("", gzip(kText)));
  EXPECT_FALSE(is_encoded("identity", gzip(kText)));
}

}  // namespace
}  // namespace cassette
