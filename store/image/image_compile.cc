// Compiling a cassette into an image. See image.h.
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "parser/writer.h"
#include "store/content_coding.h"
#include "store/image/image.h"
#include "store/image/image_groups.h"
#include "store/image/image_layout.h"
#include "store/match/digests.h"

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

  for (std::uint32_t i = 0; i < count; ++i) {
    const Interaction& interaction = interactions[i];
    Image::Entry& entry = entries[i];
    std::string headers = pack(interaction.request.headers);
    std::string_view parts[kParts] = {interaction.id,  interaction.request.method,
                                      interaction.uri, interaction.error,
                                      headers,         {}};
    if (matcher.needs_body() || groups.bodies_vary) parts[kRequestBody] = interaction.request.body;
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
        (was_answered_before_body(interaction.request) ? kBeforeBody : 0) | asks(interaction));
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
  header.flags = (context.existed ? kExisted : 0) | (groups.bodies_vary ? kBodiesVary : 0);
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
  writer.put(header.entries_at, entries.data(), entries.size() * sizeof(Image::Entry));
  std::string bytes = writer.take();
  seal(bytes);
  return bytes;
} catch (const std::exception& problem) {
  return Error{"cannot compile the cassette " + context.path + ": " + problem.what()};
}

}  // namespace cassette
