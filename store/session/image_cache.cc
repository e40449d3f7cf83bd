// See image_cache.h.
#include "store/session/image_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/image/image_layout.h"
#include "store/session/session_files.h"

namespace cassette {
namespace {

// About a hundred small interactions: some milliseconds of parsing.
constexpr std::uint64_t kLarge = 64 * 1024;
constexpr std::uint64_t kSecond = 1'000'000'000;

/// True when a change after this one has another time. Kernels take the time of their last tick; some file systems
/// count in seconds, or in twos.
bool is_settled(std::uint64_t changed) {
  const std::uint64_t tick = changed % kSecond == 0 ? 2 * kSecond : kSecond / 10;
  return changed + tick < nanoseconds(CLOCK_REALTIME);
}

class Stamper {
 public:
  Stamper() { XXH3_128bits_reset(&state_); }

  void add(std::string_view name, const struct stat& file) {
    const std::uint64_t facts[] = {
        file.st_dev, file.st_ino, static_cast<std::uint64_t>(file.st_size),
        image_layout::nanoseconds(file.st_mtim), image_layout::nanoseconds(file.st_ctim)};
    XXH3_128bits_update(&state_, name.data(), name.size());
    XXH3_128bits_update(&state_, facts, sizeof facts);
    stamp_.bytes += static_cast<std::uint64_t>(file.st_size);
    stamp_.changed = std::max({stamp_.changed, facts[3], facts[4]});
  }

  CassetteStamp take() {
    const XXH128_hash_t sum = XXH3_128bits_digest(&state_);
    stamp_.sum = {sum.low64, sum.high64};
    stamp_.settled = is_settled(stamp_.changed);
    return stamp_;
  }

 private:
  XXH3_state_t state_;
  CassetteStamp stamp_;
};

std::string images_directory(const std::string& state_dir) { return state_dir + "/images"; }

std::string file_for(const std::string& state_dir, const std::string& path,
                     const std::string& settings) {
  const std::string key = path + '\0' + settings;
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return images_directory(state_dir) + "/" + hexadecimal(hash.high64) + hexadecimal(hash.low64);
}

/// Makes room: what was not used for longest goes first.
void make_room(const std::string& directory, std::uint64_t wanted) {
  struct Entry {
    std::uint64_t used;
    std::uint64_t size;
    std::string path;
  };
  std::vector<Entry> entries;
  std::uint64_t bytes = wanted;
  for (const std::string& name : names_in(directory)) {
    struct stat file {};
    std::string path = directory + "/" + name;
    if (lstat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    entries.push_back(
        {image_layout::nanoseconds(file.st_mtim), static_cast<std::uint64_t>(file.st_size), path});
    bytes += entries.back().size;
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  std::size_t count = entries.size() + 1;
  for (const Entry& entry : entries) {
    if (count <= kMostImages && bytes <= kMostBytes) break;
    unlink(entry.path.c_str());
    --count;
    bytes -= entry.size;
  }
}

}  // namespace

std::optional<CassetteStamp> stamp_of_large_cassette(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return std::nullopt;
  Stamper stamper;
  if (S_ISREG(file.st_mode)) {
    stamper.add("", file);
  } else if (S_ISDIR(file.st_mode)) {
    std::vector<std::string> names = names_in(path);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      struct stat part {};
      if (stat((path + "/" + name).c_str(), &part) != 0 || !S_ISREG(part.st_mode))
        return std::nullopt;
      stamper.add(name, part);
    }
  } else {
    return std::nullopt;
  }
  const CassetteStamp stamp = stamper.take();
  if (stamp.bytes < kLarge) return std::nullopt;
  return stamp;
}

std::optional<std::string> find_image(const std::string& state_dir, const std::string& path,
                                      const std::string& settings, const CassetteStamp& stamp) {
  const std::string file = file_for(state_dir, path, settings);
  auto bytes = read_file(file);
  if (!bytes || bytes->size() < sizeof stamp.sum ||
      std::memcmp(bytes->data(), stamp.sum.data(), sizeof stamp.sum) != 0) {
    return std::nullopt;
  }
  bytes->erase(0, sizeof stamp.sum);
  auto image = Image::from_bytes(*bytes);
  if (!image || image->path() != path || image->settings() != settings) return std::nullopt;
  utimensat(AT_FDCWD, file.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);  // used just now
  // To its session it is a new one.
  Image::set_created(*bytes, nanoseconds(CLOCK_REALTIME));
  return std::move(*bytes);
}

void keep_image(const std::string& state_dir, const std::string& path, const std::string& settings,
                const CassetteStamp& stamp, std::string_view image) {
  if (!stamp.settled || image.size() > kMostBytes / 4) return;
  const std::string directory = images_directory(state_dir);
  if (!make_directories(state_dir)) return;
  mkdir(directory.c_str(), 0700);  // or it is there
  make_room(directory, image.size());
  const std::string file = file_for(state_dir, path, settings);
  const std::string made = file + ".new-" + unique_suffix();
  std::string bytes(reinterpret_cast<const char*>(stamp.sum.data()), sizeof stamp.sum);
  bytes.append(image);
  if (!write_new_file(made, bytes) || rename(made.c_str(), file.c_str()) != 0) unlink(made.c_str());
}

}  // namespace cassette
