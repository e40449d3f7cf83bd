// Compiled cassettes that outlive their session, in <state>/images: `cassette run` of a large cassette compiles it once,
// not each time. An entry is good for one cassette with one set of match settings, as long as no file of the cassette
// has changed. Small cassettes are not kept: compiling them takes less than a look at the disk may.
//
// An entry is 16 bytes, the stamp of the cassette's files, and an image. It is checked from end to end before it is
// used; what is damaged or of another version counts as not there. Nothing here is ever needed: whoever cannot
// read or write it compiles. The oldest entries go when there are more than kMostImages, or kMostBytes.
//
// Thread safety: any thread of any process; an entry is replaced by rename(2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cassette {

inline constexpr std::size_t kMostImages = 64;
inline constexpr std::uint64_t kMostBytes = std::uint64_t{512} << 20;

/// What identifies the bytes of a cassette without reading them: names, device, inode, size and times of change of its
/// file or files.
struct CassetteStamp {
  std::array<std::uint64_t, 2> sum{};
  std::uint64_t bytes = 0;    ///< of all files
  std::uint64_t changed = 0;  ///< the latest change, nanoseconds since 1970

  /// A change behind this look would have another time.
  bool settled = false;

  bool operator==(const CassetteStamp& other) const { return sum == other.sum; }
};

/// Nothing when it cannot be told, or when the cassette is too small to be kept.
std::optional<CassetteStamp> stamp_of_large_cassette(const std::string& path);

/// The bytes of an image that was kept; nothing when there is none that can be used.
std::optional<std::string> find_image(const std::string& state_dir, const std::string& path,
                                      const std::string& settings, const CassetteStamp& stamp);

/// Keeps an image that was made of a cassette with that stamp, before and after. Not one that had changed just before
/// the stamp was taken: another change within the same tick of the clock would not be seen.
void keep_image(const std::string& state_dir, const std::string& path, const std::string& settings,
                const CassetteStamp& stamp, std::string_view image);

}  // namespace cassette
