// Compiling a cassette into an image. See image.h.
#include <algorithm>
#include <bit>
#include <cstring>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "parser/writer.h"
#include "store/content_coding.h"
#include "store/image/image.h"
#include "store/image/image_layout.h"
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

/// The pieces that a body really has: ascending, the first from its beginning. What a cassette says
/// is not trusted.
std::vector<Piece> usable_pieces(const Interaction& interaction) {
  std::vector<Piece> pieces;
  for (const Piece& piece : interaction.chunks) {
    std::uint64_t offset = pieces.empty() ? 0 : piece.offset;
    if (!pieces.empty() && offset <= pieces.back().offset) continue;
    if (offset >= interaction.response.body.size() && offset != 0) break;
    pieces.push_back({offset, piece.milliseconds});
  }
  return pieces;
}

/// As write_response() wants them.
std::vector<std::size_t> ends_of(const std::vector<Piece>& pieces, std::size_t size) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 1; i < pieces.size(); ++i) ends.push_back(pieces[i].offset);
  if (!ends.empty()) ends.push_back(size);
  return ends;
}

/// From offsets into the body to offsets into what was written.
void move_to_wire(std::vector<Piece>& pieces, const WireResponse& wire, std::size_t body) {
  std::size_t in_wire = wire.bytes.size() - wire.head_size;
  if (in_wire == body) {
    for (std::size_t i = 1; i < pieces.size(); ++i) pieces[i].offset += wire.head_size;
    return;
  }
  // Chunks: a size line before each piece and an empty one behind it.
  std::uint64_t at = wire.head_size;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::uint64_t begin = pieces[i].offset;
    std::uint64_t end = i + 1 < pieces.size() ? pieces[i + 1].offset : body;
    pieces[i].offset = i == 0 ? 0 : at;
    std::size_t line = wire.bytes.find("\r\n", at);
    if (line == std::string::npos) return pieces.clear();
    at = line + 2 + (end - begin) + 2;
    if (at > wire.bytes.size()) return pieces.clear();
  }
}

/// The response as it is sent: tools that store a decoded body keep the header of the encoded one.
/// nullptr: as it is in the cassette.
std::unique_ptr<ResponseMessage> corrected(const ResponseMessage& response) {
  auto coding = response.headers.find("content-encoding");
  if (!coding || response.body.empty() || is_encoded(*coding, response.body)) return nullptr;
  auto copy = std::make_unique<ResponseMessage>(response);
  copy->headers.clear();
  for (auto field : response.headers) {
    if (!equals_ignoring_case(field.name, "content-encoding")) {
      copy->headers.add(field.name, field.value);
    }
  }
  return copy;
}

/// RFC 9110 section 10.1.1: a final answer instead of 100 (Continue), to a request whose body never
/// came.
bool was_answered_before_body(const RequestMessage& request) {
  if (!request.body.empty() || !request.headers.has_token("Expect", "100-continue")) return false;
  return request.headers.find("Transfer-Encoding").has_value() ||
         request.headers.find("Content-Length").value_or("0") != "0";
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

    auto changed = corrected(interaction.response);
    const ResponseMessage& response = changed ? *changed : interaction.response;
    // An answer to HEAD keeps the Content-Length of the body that it does not have.
    ResponseTarget target;
    target.head_request = interaction.request.method == "HEAD";
    std::vector<Piece> pieces = usable_pieces(interaction);
    std::size_t body = response.body.size();
    WireResponse wire = write_response(response, target, ends_of(pieces, body));
    ResponseTarget head_target;
    head_target.head_request = true;
    bool close_after_head = write_response(response, head_target).close_after;
    entry.status = static_cast<std::uint16_t>(response.status);
    entry.flags = static_cast<std::uint16_t>(
        (wire.close_after ? kCloseAfter : 0) | (close_after_head ? kCloseAfterHead : 0) |
        (was_answered_before_body(interaction.request) ? kBeforeBody : 0));
    entry.wire_at = writer.append(wire.bytes);
    entry.wire_size = wire.bytes.size();
    entry.head_size = static_cast<std::uint32_t>(wire.head_size);
    if (wire.bytes.size() == wire.head_size) pieces.clear();  // nothing but the head is sent
    move_to_wire(pieces, wire, body);
    if (!pieces.empty()) {
      entry.pieces = static_cast<std::uint32_t>(pieces.size());
      entry.pieces_at = writer.append_table(pieces);
    }
  }

  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kImageVersion;
  header.flags = context.existed ? kExisted : 0;
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
