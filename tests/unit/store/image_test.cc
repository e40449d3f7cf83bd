// The compiled cassette: what goes in comes out, and nothing read from a file is trusted.
#include "store/image/image.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "store/image/image_layout.h"
#include "tests/unit/store/store_fixture.h"

namespace cassette {
namespace {

class ImageTest : public StoreTest {
 protected:
  Matcher matcher_{MatchOn{}, Redactor({}, {}, {})};

  std::string compile(const std::vector<Interaction>& interactions) {
    Cassette cassette{interactions};
    for (std::size_t i = 0; i < interactions.size(); ++i) {
      cassette.interactions[i].id = "id" + std::to_string(i);
    }
    auto bytes = compile_image(cassette, matcher_, {"/c.yaml", "settings", true});
    EXPECT_TRUE(bytes.ok());
    return *bytes;
  }
  Image make(const std::vector<Interaction>& interactions) {
    auto image = Image::from_bytes(compile(interactions));
    EXPECT_TRUE(image.ok());
    return std::move(*image);
  }
  MatchKey key(const std::string& uri) {
    RequestView request;
    request.method = "GET";
    request.uri = *parse_uri(uri);
    return matcher_.key(request);
  }
};

TEST_F(ImageTest, HoldsWhatWasCompiled) {
  Image image = make({interaction("http://a/1", "one"), interaction("http://b:81/2?x=1", "two"),
                      interaction("http://a/1", "three")});
  EXPECT_EQ(image.size(), 3u);
  EXPECT_TRUE(image.existed());
  EXPECT_EQ(image.path(), "/c.yaml");
  EXPECT_EQ(image.settings(), "settings");
  EXPECT_EQ(image.id(1), "id1");
  EXPECT_EQ(image.method(0), "GET");
  EXPECT_EQ(image.uri(1), "http://b:81/2?x=1");
  EXPECT_EQ(image.status(2), 200);
  EXPECT_EQ(image.wire(0),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\none");
  EXPECT_EQ(image.wire_head(0).substr(image.wire_head(0).size() - 4), "\r\n\r\n");
  Headers headers;
  image.request_headers(0, headers);
  EXPECT_TRUE(headers.empty());
}

TEST_F(ImageTest, FindsGroupsInRecordedOrder) {
  Image image = make({interaction("http://a/1", "one"), interaction("http://a/2", "two"),
                      interaction("http://a/1", "three")});
  Image::Group group = image.find(key("http://a/1"));
  ASSERT_EQ(group.count, 2u);
  EXPECT_EQ(image.member(group, 0), 0u);
  EXPECT_EQ(image.member(group, 1), 2u);
  EXPECT_EQ(image.group_of(2).number, group.number);
  EXPECT_EQ(image.find(key("http://a/3")).count, 0u);
}

TEST_F(ImageTest, AnEmptyCassetteHasNothing) {
  Image image = make({});
  EXPECT_EQ(image.size(), 0u);
  EXPECT_EQ(image.find(key("http://a/1")).count, 0u);
  EXPECT_EQ(image.wire(0), "");
  EXPECT_EQ(image.id(7), "");
}

TEST_F(ImageTest, KnowsThePlacesItAnswersFor) {
  Image image =
      make({interaction("http://localhost:8080/1", ""), interaction("https://API.x/", "")});
  EXPECT_TRUE(image.answers_for("127.0.0.1", 8080));
  EXPECT_TRUE(image.answers_for("::1", 8080));
  EXPECT_FALSE(image.answers_for("127.0.0.1", 8081));
  EXPECT_TRUE(image.answers_for("127.0.0.1", 0));
  EXPECT_TRUE(image.answers_for("api.X", 443));
  EXPECT_FALSE(image.answers_for("api.X", 80));
  EXPECT_FALSE(image.answers_for("x", 443));
}

TEST_F(ImageTest, LeavesOutAContentEncodingThatIsNotThere) {
  Interaction decoded = interaction("http://a/1", "plain text");
  decoded.response.headers.add("Content-Encoding", "gzip");
  Image image = make({decoded});
  EXPECT_EQ(image.wire(0).find("Content-Encoding"), std::string_view::npos);
}

TEST_F(ImageTest, AnAnswerToHeadKeepsItsContentLength) {
  Interaction head = interaction("http://a/1", "");
  head.request.method = "HEAD";
  head.response.headers.add("Content-Length", "1234");
  Image image = make({head});
  EXPECT_NE(image.wire(0).find("Content-Length: 1234\r\n"), std::string_view::npos);
  EXPECT_FALSE(image.close_after(0));
}

TEST_F(ImageTest, ARecordedErrorHasNoResponse) {
  Interaction failed = interaction("http://a/1", "");
  failed.error = "ECONNREFUSED";
  Image image = make({failed});
  EXPECT_EQ(image.error(0), "ECONNREFUSED");
  EXPECT_EQ(image.wire(0), "");
}

TEST_F(ImageTest, PiecesLeadIntoTheWire) {
  Interaction plain = interaction("http://a/1", "0123456789");
  plain.chunks = {{0, 5}, {4, 20}, {99, 30}};
  plain.first_byte_milliseconds = 3;
  Interaction chunked = plain;
  chunked.response.headers.add("Transfer-Encoding", "chunked");
  Image image = make({plain, chunked});
  for (std::uint32_t i : {0u, 1u}) {
    auto pieces = image.pieces(i);
    ASSERT_EQ(pieces.size(), 3u) << i;
    EXPECT_EQ(pieces[0].offset, 0u);  // the head
    EXPECT_EQ(pieces[0].milliseconds, 3u);
    EXPECT_EQ(pieces[1].offset, image.wire_head(i).size());
    EXPECT_EQ(pieces[1].milliseconds, 5u);
    EXPECT_EQ(pieces[2].milliseconds, 20u);
  }
  EXPECT_EQ(image.wire(0).substr(image.pieces(0)[2].offset), "456789");
  EXPECT_EQ(image.wire(1).substr(image.pieces(1)[2].offset), "6\r\n456789\r\n0\r\n\r\n");
}

TEST_F(ImageTest, WhatComesAtOnceHasNoPieces) {
  Interaction plain = interaction("http://a/1", "0123456789");
  plain.chunks = {{0, 0}};
  EXPECT_TRUE(make({plain}).pieces(0).empty());
}

TEST_F(ImageTest, InformationalAnswersStandInFrontOfTheHead) {
  Interaction hinted = interaction("http://a/1", "body");
  hinted.informational.push_back({103, "Early Hints", {}, 20});
  hinted.informational[0].headers.add("Link", "</a.css>");
  hinted.first_byte_milliseconds = 50;
  Image image = make({hinted});
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
  EXPECT_TRUE(image.wire_head(0).starts_with(hints));
  EXPECT_TRUE(image.wire(0).ends_with("\r\n\r\nbody"));
  const auto pieces = image.pieces(0);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].milliseconds, 20u);
  EXPECT_EQ(pieces[1].offset, hints.size());
  EXPECT_EQ(pieces[1].milliseconds, 50u);
}

TEST_F(ImageTest, KnowsHowAnAnswerEnded) {
  std::vector<Interaction> all(4, interaction("http://a/1", "body"));
  all[1].end = ResponseEnd::kEof;
  all[2].end = ResponseEnd::kReset;
  all[3].end = ResponseEnd::kOpen;
  Image image = make(all);
  for (std::uint32_t i = 0; i < all.size(); ++i) EXPECT_EQ(image.end(i), all[i].end) << i;
  EXPECT_FALSE(image.answers_early());
  all[0].chunks = {{0, 0, 3}};
  EXPECT_TRUE(make(all).answers_early());
}

TEST_F(ImageTest, AFileOfAnotherVersionOrCutShortIsAnError) {
  std::string bytes = compile({interaction("http://a/1", "one")});
  std::string path = directory_ + "/image";
  write(path, bytes);
  EXPECT_TRUE(Image::open(path).ok());
  std::string other = bytes;
  ++other[8];
  write(path, other);
  ASSERT_FALSE(Image::open(path).ok());
  EXPECT_NE(Image::open(path).error().message.find("version"), std::string::npos);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Image::from_bytes(bytes.substr(0, size)).ok()) << size;
  }
  write(path, bytes.substr(0, bytes.size() / 2));
  EXPECT_FALSE(Image::open(path).ok());
  write(path, "");
  EXPECT_FALSE(Image::open(path).ok());
  write(path, bytes + "x");
  EXPECT_FALSE(Image::open(path).ok());
  EXPECT_FALSE(Image::open(directory_).ok());
  EXPECT_FALSE(Image::open(directory_ + "/none").ok());
}

TEST_F(ImageTest, AnyChangedByteIsNoticed) {
  std::string bytes = compile({interaction("http://a/1", "one"), interaction("http://a/2", "two")});
  for (char& byte : bytes) {
    for (int bit : {0, 7}) {
      byte = static_cast<char>(byte ^ 1 << bit);
      EXPECT_FALSE(Image::from_bytes(bytes).ok()) << &byte - bytes.data();
      byte = static_cast<char>(byte ^ 1 << bit);
    }
  }
  EXPECT_TRUE(Image::from_bytes(bytes).ok());
}

TEST_F(ImageTest, ALargeFileThatWasWrittenToIsNoticed) {
  const std::string bytes = compile({interaction("http://a/1", std::string(1 << 20, 'x'))});
  const std::string path = directory_ + "/image";
  auto put = [&](std::size_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('y');
  };
  write(path, bytes);
  EXPECT_TRUE(Image::open(path).ok()) << "by its checksum";
  Image::mark_unchanged(path, *Image::open(path));
  EXPECT_TRUE(Image::open(path).ok()) << "by its time stamp";
  put(bytes.size() - 100);
  EXPECT_FALSE(Image::open(path).ok());
}

TEST_F(ImageTest, AGroupHasNoMoreMembersThanThereAreInteractions) {
  std::string bytes = compile({interaction("http://a/1", "one"), interaction("http://a/1", "two")});
  const std::string slot{'\0', '\0', '\0', '\0', '\2', '\0', '\0', '\0'};  // from 0, two of them
  const std::size_t at = bytes.find(slot, 150 + 2 * 80);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at + 4, 4, "\xFF\xFF\xFF\x7F");
  image_layout::seal(bytes);
  EXPECT_EQ(Image::from_bytes(bytes)->find(key("http://a/1")).count, 2u);
}

// Reads everything of images with changed bytes: whatever it says, it stays inside (under a
// sanitizer).
TEST_F(ImageTest, ADamagedImageIsReadWithoutHarm) {
  Interaction second = interaction("http://a/2", "two");
  second.chunks = {{0, 1}, {1, 2}};
  second.request.headers.add("Accept", "x");
  const std::string bytes = compile({interaction("http://a/1", "one"), second});
  std::mt19937 random(1);
  std::size_t sum = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    image_layout::seal(damaged);
    auto image = Image::from_bytes(damaged);
    if (!image.ok()) continue;
    for (std::uint32_t i = 0; i < 3; ++i) {
      Headers headers;
      image->request_headers(i, headers);
      for (auto piece : image->pieces(i)) sum += piece.offset;
      for (std::string_view text : {image->id(i), image->method(i), image->uri(i), image->error(i),
                                    image->wire(i), image->wire_head(i), image->request_body(i)}) {
        for (char c : text) sum += static_cast<unsigned char>(c);
      }
      Image::Group group = image->group_of(i);
      for (std::uint32_t m = 0; m < std::min(group.count, 8u); ++m) sum += image->member(group, m);
    }
    sum += image->find(key("http://a/1")).count + image->answers_for("a", 80);
  }
  EXPECT_NE(sum, 0u);
}

}  // namespace
}  // namespace cassette
