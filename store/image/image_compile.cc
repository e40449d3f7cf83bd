// Compiling a cassette into an image. See image.h.
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "store/image/image.h"
#include "store/image/image_groups.h"
#include "store/image/image_layout.h"
#include "store/image/rendering.h"
#include "store/match/digests.h"
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

/// The table of the servers' certificates.
class ServerTable {
 public:
  explicit ServerTable(const std::vector<Interaction>& entries) {
    // The last of one place stands first, and the others are left out.
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      const auto place = parse_uri(entry->uri);
      if (!place || !entry->certificate) continue;
      std::string chain;
      for (const std::string& der : entry->certificate->chain) {
        const auto size = static_cast<std::uint32_t>(der.size());
        chain.append(reinterpret_cast<const char*>(&size), sizeof size).append(der);
      }
      rows_.push_back({{origin_hash(place->host, place->port), entry->recorded_at.value_or(0), 0,
                        static_cast<std::uint32_t>(chain.size()), entry->certificate->trusted},
                       std::move(chain)});
    }
    auto by_place = [](const Row& a, const Row& b) { return a.entry.place < b.entry.place; };
    auto same_place = [](const Row& a, const Row& b) { return a.entry.place == b.entry.place; };
    std::stable_sort(rows_.begin(), rows_.end(), by_place);
    rows_.erase(std::unique(rows_.begin(), rows_.end(), same_place), rows_.end());
  }

  void write(ImageWriter& writer, Image::Header& header) {
    std::vector<Image::ServerEntry> table;
    for (Row& row : rows_) {
      row.entry.chain_at = writer.append(row.chain);
      table.push_back(row.entry);
    }
    header.servers_at = writer.append_table(table);
    header.servers = table.size();
  }

 private:
  struct Row {
    Image::ServerEntry entry;
    std::string chain;
  };
  std::vector<Row> rows_;
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

/// The one that most digests of the cassette are made with, or a new one.
std::uint64_t digest_key_of(const std::vector<Interaction>& interactions) {
  std::map<std::string_view, std::size_t> uses;
  std::string_view best;
  for (const Interaction& interaction : interactions) {
    if (interaction.redacted.empty()) continue;
    const std::string_view key = interaction.redacted.key;
    if (++uses[key] > uses[best]) best = key;
  }
  if (std::uint64_t key = digest_key(best); key != 0) return key;
  std::uint64_t key = 0;
  while (key == 0) {
    // Without the kernel's random numbers it is the time: the key is no secret.
    if (getrandom(&key, sizeof key, GRND_NONBLOCK) == sizeof key) continue;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    key = nanoseconds(now);
  }
  return key;
}

}  // namespace

Result<std::string> compile_image(const Cassette& cassette, const Matcher& matcher,
                                  const ImageContext& context) try {
  const auto& interactions = cassette.interactions;
  if (interactions.size() > (std::size_t{1} << 30)) {
    return Error{"the cassette " + context.path + " has too many interactions"};
  }
  auto count = static_cast<std::uint32_t>(interactions.size());

  const std::uint64_t key = digest_key_of(interactions);
  ImageGroups groups = group_interactions(cassette, matcher, key);
  if (groups.members.size() > std::numeric_limits<std::uint32_t>::max()) {
    return Error{"the cassette " + context.path + " has too many interactions"};
  }
  std::vector<Image::Entry> entries(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    entries[i].group = groups.group_of[i];
    entries[i].identity = groups.identity[i];
  }

  ImageWriter writer;
  Image::Header header{};
  writer.append({reinterpret_cast<const char*>(&header), sizeof header});
  header.entries_at = writer.append_table(entries);
  header.slots_at = writer.append_table(groups.slots);
  header.members_at = writer.append_table(groups.members);
  header.origins_at = writer.append_table(groups.origins);
  header.path_at = writer.append(context.path);
  header.path_size = context.path.size();
  header.settings_at = writer.append(context.settings);
  header.settings_size = context.settings.size();
  ServerTable(cassette.certificates).write(writer, header);

  bool answers_early = false;
  bool redacted_before = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Interaction& interaction = interactions[i];
    Image::Entry& entry = entries[i];
    std::string headers = pack(interaction.request.headers);
    std::string_view parts[kParts] = {interaction.id,  interaction.request.method,
                                      interaction.uri, interaction.error,
                                      headers,         {}};
    if (matcher.needs_body()) parts[kRequestBody] = interaction.request.body;
    entry.times = interaction.times;
    if (interaction.redacted.empty() && has_placeholder(interaction)) {
      entry.flags = kRedactedBefore;
      redacted_before = true;
    }
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
    if (answer.answers_early) {
      groups.slots[groups.group_of[i]].flags |= Image::kHasEarlyAnswers;
      answers_early = true;
    }
    entry.status = static_cast<std::uint16_t>(interaction.response.status);
    entry.flags |= static_cast<std::uint16_t>(
        (answer.close_after ? kCloseAfter : 0) | (answer.close_after_head ? kCloseAfterHead : 0) |
        (answer.answers_before_body ? kBeforeBody : 0) | asks(interaction) |
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
  header.flags = (context.existed ? kExisted : 0) | (groups.bodies_vary ? kBodiesVary : 0) |
                 (answers_early ? kAnswersEarly : 0) | (redacted_before ? kHasRedactedBefore : 0);
  header.total = writer.size();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  header.created = nanoseconds(now);
  header.interactions = count;
  header.slots = static_cast<std::uint32_t>(groups.slots.size());
  header.members = static_cast<std::uint32_t>(groups.members.size());
  header.origins = static_cast<std::uint32_t>(groups.origins.size());
  header.digest_key = key;
  writer.put(0, &header, sizeof header);
  writer.put(header.slots_at, groups.slots.data(), groups.slots.size() * sizeof(Image::Slot));
  writer.put(header.entries_at, entries.data(), entries.size() * sizeof(Image::Entry));
  std::string bytes = writer.take();
  seal(bytes);
  return bytes;
} catch (const std::exception& problem) {
  return Error{"cannot compile the cassette " + context.path + ": " + problem.what()};
}

}  // namespace cassette
