// The bytes of an image, for image.cc, which reads them, and image_compile.cc, which writes them.
// image.h has the picture.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/image/image.h"
#include "store/uri.h"

namespace cassette::image_layout {

/// Of a time since 1970.
inline std::uint64_t nanoseconds(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

inline constexpr char kMagic[8] = {'c', 'a', 's', 's', 'i', 'm', 'g', '\n'};
inline constexpr std::uint32_t kExisted = 1;
/// Somewhere requests of one match key have different bodies.
inline constexpr std::uint32_t kBodiesVary = 2;
/// There are interactions with the flag kRedactedBefore.
inline constexpr std::uint32_t kHasRedactedBefore = 8;
/// There are answers that begin before their request is complete.
inline constexpr std::uint32_t kAnswersEarly = 4;

/// Up to this size the checksum is always checked: it takes some 20 us.
inline constexpr std::uint64_t kAlwaysSummed = 256 * 1024;

inline constexpr std::uint16_t kCloseAfter = 1;
inline constexpr std::uint16_t kCloseAfterHead = 2;
/// The server answered `Expect: 100-continue` with this, and never got the body.
inline constexpr std::uint16_t kBeforeBody = 4;
/// Two bits: a ResponseEnd.
inline constexpr unsigned kEndShift = 3;

/// Something was taken out of the request by the rules of the version before (Redactor::as_before()).
inline constexpr std::uint16_t kRedactedBefore = 0x2000;
/// The answer is for a request with that Range, or with a condition, alone.
inline constexpr std::uint16_t kAsksRange = 0x4000;
inline constexpr std::uint16_t kAsksCondition = 0x8000;
/// Which of the two: 0 for nearly all. RFC 9110 sections 15.3.7 (206), 15.4.5 (304), 15.5.13 (412), 15.5.17 (416).
std::uint16_t asks(const Interaction& interaction);

/// Parts of an entry's text, which stand one behind the other in the heap.
enum Part { kId, kMethod, kUri, kErrorName, kRequestHeaders, kRequestBody, kParts };

/// `port` 0 stands for any.
inline std::uint64_t origin_hash(std::string_view host, std::uint16_t port) {
  char folded[256];
  if (is_localhost(host)) host = "localhost";
  std::size_t length = std::min(host.size(), sizeof folded);
  for (std::size_t i = 0; i < length; ++i) {
    char c = host[i];
    folded[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return XXH64(folded, length, port);
}

}  // namespace cassette::image_layout

namespace cassette {

struct Image::Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t flags;
  std::uint64_t checksum;
  std::uint64_t total;
  std::uint64_t created;
  std::uint32_t interactions;
  std::uint32_t slots;
  std::uint32_t origins;
  std::uint32_t members;
  std::uint64_t entries_at;
  std::uint64_t slots_at;
  std::uint64_t members_at;
  std::uint64_t origins_at;
  std::uint64_t path_at;
  std::uint64_t path_size;
  std::uint64_t settings_at;
  std::uint64_t settings_size;
  std::uint64_t digest_key;
  std::uint64_t servers_at;
  std::uint64_t servers;
};

struct Image::Entry {
  std::uint32_t group;  ///< its slot
  std::uint32_t times;
  std::uint64_t text_at;
  std::uint32_t part_size[image_layout::kParts];
  std::uint64_t wire_at;
  std::uint64_t wire_size;
  std::uint64_t pieces_at;
  std::uint32_t head_size;
  std::uint32_t pieces;
  std::uint16_t status;
  std::uint16_t flags;
  std::uint32_t identity;  ///< of what redaction took out, as far as match_on covers it; 0: nothing
};

/// The certificate of a TLS server. In the heap its chain: each certificate behind its length, a uint32.
struct Image::ServerEntry {
  std::uint64_t place;  ///< origin_hash()
  std::int64_t recorded_at;
  std::uint64_t chain_at;
  std::uint32_t chain_size;
  std::uint32_t trusted;
};

struct Image::Slot {
  std::uint64_t high;
  std::uint64_t low;
  std::uint32_t first;
  std::uint32_t count;
  std::uint32_t flags;  ///< as in Image::Group
  std::uint32_t unused;
};

namespace image_layout {

inline constexpr std::size_t kChecksumAt = 16;

/// Over all bytes but its own, of which there are enough for a header.
inline std::uint64_t checksum(std::string_view bytes) {
  constexpr std::size_t kBehind = kChecksumAt + sizeof(std::uint64_t);
  const std::uint64_t front = XXH3_64bits(bytes.data(), kChecksumAt);
  return XXH3_64bits_withSeed(bytes.data() + kBehind, bytes.size() - kBehind, front);
}

/// Puts it into the bytes of an image. What is too short for one stays as it is.
void seal(std::string& bytes);

}  // namespace image_layout

}  // namespace cassette
