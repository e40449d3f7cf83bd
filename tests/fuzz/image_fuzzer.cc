// Any bytes as a compiled cassette: an error or an image that can be asked anything, never a crash, and
// never a view past its end. When the first byte is odd the rest is changes to a good image, each an
// offset of two bytes, a length of one and that many bytes; otherwise it is the image itself. Either
// way it gets a right checksum, behind which arbitrary bytes would not come.
#include "store/image/image.h"

#include "store/image/image_layout.h"
#include "store/match/failed_place.h"
#include "store/session/cursors.h"
#include "tests/fuzz/input.h"

using namespace cassette;
using fuzzing::must;

namespace {

const Matcher& matcher() {
  static const Matcher matcher(MatchOn{}, Redactor({}, {}, {}));
  return matcher;
}

MatchKey key_of(const char* uri) {
  RequestView request;
  request.method = "GET";
  request.uri = *parse_uri(uri);
  return matcher().key(request);
}

std::string good_image() {
  Cassette cassette;
  for (const char* uri : {"http://a/1", "http://a/2", "http://a/1", "https://b:1/"}) {
    Interaction& interaction = cassette.interactions.emplace_back();
    interaction.id = "id";
    interaction.uri = uri;
    interaction.request.method = "GET";
    interaction.request.headers.add("Accept", "text/plain");
    interaction.response.status = 200;
    interaction.response.body = "0123456789";
    interaction.chunks = {{0, 1}, {4, 2}};
    interaction.priority = static_cast<std::int32_t>(cassette.interactions.size());
  }
  cassette.interactions.back().error = "ECONNREFUSED";
  for (std::uint16_t port : {1, 2}) {
    cassette.certificates.push_back(
        certificate_entry("b", port, {{"0123456789", "abc"}, port == 1}));
  }
  return *compile_image(cassette, matcher(), {"/c.yaml", "settings", true});
}

void ask(const Image& image) {
  std::size_t sum = image.path().size() + image.settings().size() + (image.existed() ? 1 : 0);
  auto touch = [&sum](std::string_view text) {
    for (char c : text) sum += static_cast<unsigned char>(c);
  };
  touch(image.path());
  touch(image.settings());
  sum += image.answers_for("a", 80) ? 1 : 0;
  for (std::uint16_t port : {1, 2}) {
    for (const std::string& der : image.certificate("b", port).certificate.chain) touch(der);
  }
  Headers headers;
  // What is not there may be asked for, too.
  for (std::uint32_t i = 0; i < std::min(image.size(), 64u) + 2; ++i) {
    for (auto text : {image.id(i), image.method(i), image.uri(i), image.error(i),
                      image.request_body(i), image.wire(i), image.wire_head(i)}) {
      touch(text);
    }
    image.request_headers(i, headers);
    for (const Piece& piece : image.pieces(i)) sum += piece.milliseconds;
    const Image::Group group = image.group_of(i);
    for (std::uint32_t m = 0; m < std::min(group.count, 64u); ++m) sum += image.member(group, m);
    sum += image.times(i) + static_cast<unsigned>(image.status(i));
  }
  volatile std::size_t kept = sum;
  (void)kept;
}

void take(const Image& image) {
  auto cursors = Cursors::in_memory(image);
  if (!cursors) return;
  auto any = [](std::uint32_t) { return true; };
  for (const char* uri : {"http://a/1", "http://a/2"}) {
    const Image::Group group = image.find(key_of(uri));
    for (int i = 0; i < 3; ++i) {
      for (const Turn& turn : {cursors->take_matched(image, group, i == 2, any),
                               cursors->take_in_sequence(image, group, i == 2, any),
                               cursors->take_first(image, group, any)}) {
        if (turn.kind == Turn::Kind::kPlay) must(turn.interaction < image.size(), "it is played");
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = fuzzing::text_of(data, size);
  std::string bytes;
  if (fuzzing::take_byte(rest) % 2 == 1) {
    static const std::string good = good_image();
    bytes = good;
    while (rest.size() >= 3) {
      const std::size_t low = fuzzing::take_byte(rest);
      const std::size_t at = (low + 256 * fuzzing::take_byte(rest)) % bytes.size();
      const std::string_view change = rest.substr(0, fuzzing::take_byte(rest));
      bytes.replace(at, std::min(change.size(), bytes.size() - at), change);
      rest.remove_prefix(std::min(change.size(), rest.size()));
    }
  } else {
    bytes = rest;
  }
  image_layout::seal(bytes);
  auto image = Image::from_bytes(std::move(bytes));
  if (!image) return 0;
  ask(*image);
  take(*image);
  return 0;
}
