// Compiling a cassette into an image. See image.h.
#include <algorithm>
#include <bit>
#include <cstring>
#include <ctime>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include "store/image/image.h"
#include "store/image/image_layout.h"
#include "store/image/rendering.h"
#include "store/match/failed_place.h"
#include "store/uri.h"

namespace cassette {

using namespace image_layout;

/// Puts bytes behind each other and remembers where.
class ImageWriter {
 public:
  void reserve(std::uint64_t size) { bytes_.reserve(size); }
  std::uint64_t append(std::string_view bytes) {
    std::uint64_t at = bytes_.size();
    bytes_.append(bytes);
    return at;
  }
  template <typename T>
  std::uint64_t append_table(const std::vector<T>& table) {
    align();
    return append({reinterpret_cast<const char*>(table.data()), table.size() * sizeof(T)});
  }
  void align() { bytes_.append((8 - bytes_.size() % 8) % 8, '\0'); }
  void put(std::uint64_t at, const void* from, std::size_t size) {
    if (size != 0) std::memcpy(bytes_.data() + at, from, size);
  }
  std::uint64_t size() const { return bytes_.size(); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

namespace {

std::string pack(const Headers& headers) {
  std::string packed;
  for (auto field : headers) {
    std::uint32_t sizes[2] = {static_cast<std::uint32_t>(field.name.size()),
                              static_cast<std::uint32_t>(field.value.size())};
    packed.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
    packed.append(field.name).append(field.value);
  }
  return packed;
}

}  // namespace

Result<std::string> compile_image(const Cassette& cassette, const Matcher& matcher,
                                  const ImageContext& context) try {
  const auto& interactions = cassette.interactions;
  if (interactions.size() > (std::size_t{1} << 30)) {
    return Error{"the cassette " + context.path + " has too many interactions"};
  }
  auto count = static_cast<std::uint32_t>(interactions.size());

  // Groups: each interaction finds its slot, then the members are laid out slot by slot.
  std::vector<Image::Slot> slots(std::bit_ceil(std::max<std::uint32_t>(2 * count, 2)));
  std::vector<Image::Entry> entries(count);
  std::vector<std::uint64_t> origins;
  auto mask = static_cast<std::uint32_t>(slots.size() - 1);
  for (std::uint32_t i = 0; i < count; ++i) {
    RequestView request = view_of(interactions[i]);
    MatchKey key = matcher.key(request);
    std::uint32_t at = static_cast<std::uint32_t>(key.low) & mask;
    while (slots[at].count != 0 && (slots[at].high != key.high || slots[at].low != key.low)) {
      at = (at + 1) & mask;
    }
    slots[at].high = key.high;
    slots[at].low = key.low;
    ++slots[at].count;
    entries[i].group = at;
    if (!request.uri.host.empty()) {
      if (is_failed_place(request.uri.scheme)) continue;
      std::uint64_t origin = origin_hash(request.uri.host, request.uri.port);
      if (origins.size() < 2 || origins[origins.size() - 2] != origin) {
        origins.push_back(origin);
        origins.push_back(origin_hash(request.uri.host, 0));
      }
    }
  }
  std::sort(origins.begin(), origins.end());
  origins.erase(std::unique(origins.begin(), origins.end()), origins.end());
  std::vector<std::uint32_t> members(count);
  std::vector<std::uint32_t> next(slots.size());
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    slots[i].first = next[i] = first;
    first += slots[i].count;
  }
  bool by_priority = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    members[next[entries[i].group]++] = i;
    by_priority = by_priority || interactions[i].priority != 0;
  }
  for (const Image::Slot& slot : slots) {
    if (!by_priority || slot.count < 2) continue;
    auto begin = members.begin() + slot.first;
    std::stable_sort(begin, begin + slot.count, [&](std::uint32_t a, std::uint32_t b) {
      return interactions[a].priority > interactions[b].priority;
    });
  }

  ImageWriter writer;
  Image::Header header{};
  writer.append({reinterpret_cast<const char*>(&header), sizeof header});
  header.entries_at = writer.append_table(entries);
  header.slots_at = writer.append_table(slots);
  header.members_at = writer.append_table(members);
  header.origins_at = writer.append_table(origins);
  header.path_at = writer.append(context.path);
  header.path_size = context.path.size();
  header.settings_at = writer.append(context.settings);
  header.settings_size = context.settings.size();

  bool answers_early = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Interaction& interaction = interactions[i];
    Image::Entry& entry = entries[i];
    std::string headers = pack(interaction.request.headers);
    std::string_view parts[kParts] = {interaction.id,  interaction.request.method,
                                      interaction.uri, interaction.error,
                                      headers,         {}};
    if (matcher.needs_body()) parts[kRequestBody] = interaction.request.body;
    entry.times = interaction.times;
    entry.text_at = writer.size();
    for (int part = 0; part < kParts; ++part) {
      if (parts[part].size() > std::numeric_limits<std::uint32_t>::max()) {
        return Error{"the cassette " + context.path + " has a request of more than 4 GiB"};
      }
      entry.part_size[part] = static_cast<std::uint32_t>(parts[part].size());
      writer.append(parts[part]);
    }
    if (!interaction.error.empty()) continue;

    const Rendering answer = render(interaction);
    answers_early = answers_early || answer.answers_early;
    entry.status = static_cast<std::uint16_t>(interaction.response.status);
    entry.flags = static_cast<std::uint16_t>((answer.close_after ? kCloseAfter : 0) |
                                             (answer.close_after_head ? kCloseAfterHead : 0) |
                                             (answer.answers_before_body ? kBeforeBody : 0) |
                                             static_cast<unsigned>(interaction.end) << kEndShift);
    entry.wire_at = writer.append(answer.bytes);
    entry.wire_size = answer.bytes.size();
    entry.head_size = static_cast<std::uint32_t>(answer.head_size);
    if (!answer.pieces.empty()) {
      entry.pieces = static_cast<std::uint32_t>(answer.pieces.size());
      entry.pieces_at = writer.append_table(answer.pieces);
    }
  }

  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kImageVersion;
  header.flags = (context.existed ? kExisted : 0) | (answers_early ? kAnswersEarly : 0);
  header.total = writer.size();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  header.created = nanoseconds(now);
  header.interactions = count;
  header.slots = static_cast<std::uint32_t>(slots.size());
  header.origins = static_cast<std::uint32_t>(origins.size());
  writer.put(0, &header, sizeof header);
  writer.put(header.entries_at, entries.data(), entries.size() * sizeof(Image::Entry));
  std::string bytes = writer.take();
  seal(bytes);
  return bytes;
} catch (const std::exception& problem) {
  return Error{"cannot compile the cassette " + context.path + ": " + problem.what()};
}

}  // namespace cassette
