// See keyed_hash.h. The names are those of RFC 7693.
#include "store/redaction/keyed_hash.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace cassette {
namespace {

using Words = std::array<std::uint32_t, 8>;

constexpr std::size_t kBlock = 64;

constexpr Words kInitial = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                            0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

constexpr std::uint8_t kSigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/// Section 3.2.
void compress(Words& h, const std::uint8_t* block, std::uint64_t counted, bool last) {
  std::array<std::uint32_t, 16> m{};
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t byte = 0; byte < 4; ++byte)
      m[i] |= static_cast<std::uint32_t>(block[4 * i + byte]) << (8 * byte);
  }
  std::array<std::uint32_t, 16> v{};
  std::copy(h.begin(), h.end(), v.begin());
  std::copy(kInitial.begin(), kInitial.end(), v.begin() + 8);
  v[12] ^= static_cast<std::uint32_t>(counted);
  v[13] ^= static_cast<std::uint32_t>(counted >> 32);
  if (last) v[14] = ~v[14];
  auto mix = [&v](int a, int b, int c, int d, std::uint32_t x, std::uint32_t y) {
    v[a] += v[b] + x;
    v[d] = std::rotr(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = std::rotr(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = std::rotr(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = std::rotr(v[b] ^ v[c], 7);
  };
  for (const auto& s : kSigma) {
    mix(0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (std::size_t i = 0; i < h.size(); ++i) h[i] ^= v[i] ^ v[i + 8];
}

}  // namespace

HashKey make_hash_key() {
  HashKey key{};
  if (getrandom(key.data(), key.size(), GRND_NONBLOCK) == static_cast<ssize_t>(key.size()))
    return key;
  // A kernel without it, or one that has just started: no more than distinct.
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t parts[2] = {now.tv_nsec ^ (std::int64_t{getpid()} << 32), now.tv_sec};
  std::memcpy(key.data(), parts, key.size());
  return key;
}

KeyedDigest keyed_hash(const HashKey& key, std::string_view value) {
  Words h = kInitial;
  // The parameter block: length of the digest, of the key, fanout and depth 1.
  h[0] ^= 0x01010000U ^ static_cast<std::uint32_t>(key.size() << 8) ^
          static_cast<std::uint32_t>(std::tuple_size_v<KeyedDigest>);
  std::array<std::uint8_t, kBlock> block{};
  std::copy(key.begin(), key.end(), block.begin());
  std::uint64_t counted = kBlock;
  compress(h, block.data(), counted, value.empty());
  while (!value.empty()) {
    const std::size_t size = std::min(value.size(), kBlock);
    block.fill(0);
    std::memcpy(block.data(), value.data(), size);
    value.remove_prefix(size);
    counted += size;
    compress(h, block.data(), counted, value.empty());
  }
  KeyedDigest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<std::uint8_t>(h[i / 4] >> (8 * (i % 4)));
  return digest;
}

}  // namespace cassette
