#include "store/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "parser/writer.h"
#include "store/content_coding.h"
#include "store/descriptor.h"
#include "store/files.h"
#include "store/uri.h"

namespace cassette {

namespace {

constexpr char kMagic[8] = {'c', 'a', 's', 's', 'i', 'm', 'g', '\n'};
constexpr std::uint32_t kExisted = 1;

constexpr std::uint16_t kCloseAfter = 1;
constexpr std::uint16_t kCloseAfterHead = 2;

/// Parts of an entry's text, which stand one behind the other in the heap.
enum Part { kId, kMethod, kUri, kErrorName, kRequestHeaders, kRequestBody, kParts };

std::uint64_t origin_hash(std::string_view host, std::uint16_t port) {
  char folded[256];
  if (is_localhost(host)) host = "localhost";
  std::size_t length = std::min(host.size(), sizeof folded);
  for (std::size_t i = 0; i < length; ++i) {
    char c = host[i];
    folded[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return XXH64(folded, length, port);
}

}  // namespace

struct Image::Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t flags;
  std::uint64_t total;
  std::uint64_t created;
  std::uint32_t interactions;
  std::uint32_t slots;
  std::uint32_t origins;
  std::uint32_t unused;
  std::uint64_t entries_at;
  std::uint64_t slots_at;
  std::uint64_t members_at;
  std::uint64_t origins_at;
  std::uint64_t path_at;
  std::uint64_t path_size;
  std::uint64_t settings_at;
  std::uint64_t settings_size;
};

struct Image::Entry {
  std::uint32_t group;
  std::uint16_t status;
  std::uint16_t flags;
  std::uint64_t text_at;
  std::uint32_t part_size[kParts];
  std::uint64_t wire_at;
  std::uint64_t wire_size;
  std::uint64_t pieces_at;
  std::uint32_t head_size;
  std::uint32_t pieces;
};

struct Image::Slot {
  std::uint64_t high;
  std::uint64_t low;
  std::uint32_t first;
  std::uint32_t count;
};

// ---- reading ----

Result<Image> Image::open(const std::string& file) {
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!descriptor) return file_error("open the compiled cassette", file, errno);
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0) {
    return file_error("open the compiled cassette", file, errno);
  }
  auto size = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size < sizeof(Header)) {
    return Error{"the compiled cassette " + file + " is damaged: it is too short"};
  }
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
  if (bytes == MAP_FAILED) return file_error("map the compiled cassette", file, errno);
  Image image;
  image.mapped_ = true;
  auto adopted = image.adopt(static_cast<const char*>(bytes), size);
  if (!adopted) {
    return Error{"the compiled cassette " + file + " cannot be used: " + adopted.error().message};
  }
  return image;
}

Result<Image> Image::from_bytes(std::string bytes) {
  Image image;
  image.owned_ = std::move(bytes);
  // The heap's alignment will do: tables lie at multiples of 8.
  if (image.owned_.size() < sizeof(Header)) return Error{"a compiled cassette is too short"};
  auto adopted = image.adopt(image.owned_.data(), image.owned_.size());
  if (!adopted) return Error{"a compiled cassette cannot be used: " + adopted.error().message};
  return image;
}

Image::Image(Image&& other) noexcept
    : bytes_(other.bytes_),
      total_(other.total_),
      mapped_(other.mapped_),
      owned_(std::move(other.owned_)),
      flags_(other.flags_),
      size_(other.size_),
      slots_(other.slots_),
      origins_(other.origins_),
      created_(other.created_),
      path_(other.path_),
      settings_(other.settings_),
      entries_(other.entries_),
      slot_table_(other.slot_table_),
      members_(other.members_),
      origin_table_(other.origin_table_) {
  other.bytes_ = nullptr;
  other.size_ = 0;
}

Image::~Image() {
  if (mapped_ && bytes_ != nullptr) munmap(const_cast<char*>(bytes_), total_);
}

Result<void> Image::adopt(const char* bytes, std::uint64_t size) {
  bytes_ = bytes;
  total_ = size;
  Header header;
  std::memcpy(&header, bytes, sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return Error{"it is none"};
  if (header.version != kImageVersion) {
    return Error{"it is of version " + std::to_string(header.version) + ", not " +
                 std::to_string(kImageVersion)};
  }
  auto inside = [size](std::uint64_t offset, std::uint64_t count, std::uint64_t each) {
    return offset % 8 == 0 && offset <= size && count <= (size - offset) / each;
  };
  if (header.total != size || !std::has_single_bit(header.slots) ||
      !inside(header.entries_at, header.interactions, sizeof(Entry)) ||
      !inside(header.slots_at, header.slots, sizeof(Slot)) ||
      !inside(header.members_at, header.interactions, sizeof(std::uint32_t)) ||
      !inside(header.origins_at, header.origins, sizeof(std::uint64_t))) {
    return Error{"it is damaged"};
  }
  flags_ = header.flags;
  size_ = header.interactions;
  slots_ = header.slots;
  origins_ = header.origins;
  created_ = header.created;
  path_ = view(header.path_at, header.path_size);
  settings_ = view(header.settings_at, header.settings_size);
  entries_ = reinterpret_cast<const Entry*>(bytes + header.entries_at);
  slot_table_ = reinterpret_cast<const Slot*>(bytes + header.slots_at);
  members_ = reinterpret_cast<const std::uint32_t*>(bytes + header.members_at);
  origin_table_ = reinterpret_cast<const std::uint64_t*>(bytes + header.origins_at);
  return {};
}

std::string_view Image::view(std::uint64_t offset, std::uint64_t size) const {
  if (offset > total_ || size > total_ - offset) return {};
  return {bytes_ + offset, static_cast<std::size_t>(size)};
}

const Image::Entry& Image::entry(std::uint32_t interaction) const {
  static constexpr Entry kNothing{};
  return interaction < size_ ? entries_[interaction] : kNothing;
}

std::string_view Image::text(std::uint32_t interaction, int part) const {
  const Entry& entry = this->entry(interaction);
  std::uint64_t offset = entry.text_at;
  for (int i = 0; i < part; ++i) offset += entry.part_size[i];
  return view(offset, entry.part_size[part]);
}

bool Image::existed() const { return (flags_ & kExisted) != 0; }
std::string_view Image::path() const { return path_; }
std::string_view Image::settings() const { return settings_; }

Image::Group Image::find(const MatchKey& key) const {
  // At most `slots_` probes, so that a damaged table without an empty slot ends too.
  for (std::uint32_t probe = 0; probe < slots_; ++probe) {
    std::uint32_t number = (static_cast<std::uint32_t>(key.low) + probe) & (slots_ - 1);
    const Slot& slot = slot_table_[number];
    if (slot.count == 0) return {};
    if (slot.high == key.high && slot.low == key.low) return {number, slot.first, slot.count};
  }
  return {};
}

Image::Group Image::group_of(std::uint32_t interaction) const {
  std::uint32_t number = entry(interaction).group;
  if (interaction >= size_ || number >= slots_) return {};
  return {number, slot_table_[number].first, slot_table_[number].count};
}

std::uint32_t Image::member(const Group& group, std::uint32_t index) const {
  std::uint64_t at = std::uint64_t{group.first} + index;
  // A member that is none is answered with a number that is none, which every user checks anyway.
  return at < size_ ? std::min(members_[at], size_) : size_;
}

bool Image::answers_for(std::string_view host, std::uint16_t port) const {
  return std::binary_search(origin_table_, origin_table_ + origins_, origin_hash(host, port));
}

std::string_view Image::id(std::uint32_t interaction) const { return text(interaction, kId); }
std::string_view Image::method(std::uint32_t interaction) const {
  return text(interaction, kMethod);
}
std::string_view Image::uri(std::uint32_t interaction) const { return text(interaction, kUri); }
std::string_view Image::error(std::uint32_t interaction) const {
  return text(interaction, kErrorName);
}
std::string_view Image::request_body(std::uint32_t interaction) const {
  return text(interaction, kRequestBody);
}
int Image::status(std::uint32_t interaction) const { return entry(interaction).status; }

void Image::request_headers(std::uint32_t interaction, Headers& headers) const {
  headers.clear();
  std::string_view packed = text(interaction, kRequestHeaders);
  while (packed.size() >= 8) {
    std::uint32_t sizes[2];
    std::memcpy(sizes, packed.data(), sizeof sizes);
    packed.remove_prefix(sizeof sizes);
    if (packed.size() < std::uint64_t{sizes[0]} + sizes[1]) return;
    headers.add(packed.substr(0, sizes[0]), packed.substr(sizes[0], sizes[1]));
    packed.remove_prefix(sizes[0] + sizes[1]);
  }
}

std::string_view Image::wire(std::uint32_t interaction) const {
  const Entry& entry = this->entry(interaction);
  return view(entry.wire_at, entry.wire_size);
}
std::string_view Image::wire_head(std::uint32_t interaction) const {
  return wire(interaction).substr(0, entry(interaction).head_size);
}
bool Image::close_after(std::uint32_t interaction) const {
  return (entry(interaction).flags & kCloseAfter) != 0;
}
bool Image::close_after_head(std::uint32_t interaction) const {
  return (entry(interaction).flags & kCloseAfterHead) != 0;
}
std::span<const Piece> Image::pieces(std::uint32_t interaction) const {
  const Entry& entry = this->entry(interaction);
  if (entry.pieces_at % alignof(Piece) != 0) return {};
  auto bytes = view(entry.pieces_at, entry.pieces * std::uint64_t{sizeof(Piece)});
  auto* first = reinterpret_cast<const Piece*>(bytes.data());
  return {first, bytes.size() / sizeof(Piece)};
}

// ---- compiling ----

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
    std::memcpy(bytes_.data() + at, from, size);
  }
  std::uint64_t size() const { return bytes_.size(); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

namespace {

RequestView view_of(const Interaction& interaction) {
  RequestView view;
  view.method = interaction.request.method;
  // What is no URI cannot be asked for; it stays in the cassette, unused.
  if (auto uri = parse_uri(interaction.uri)) {
    view.uri = *uri;
  } else {
    view.uri.path = interaction.uri;
  }
  view.headers = &interaction.request.headers;
  view.body = interaction.request.body;
  return view;
}

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

/// The pieces that a body really has: ascending, the first from its beginning. What a cassette says is
/// not trusted.
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
  for (std::uint32_t i = 0; i < count; ++i) members[next[entries[i].group]++] = i;

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
    std::string_view parts[kParts] = {interaction.id,    interaction.request.method,
                                      interaction.uri,   interaction.error,
                                      headers,           {}};
    if (matcher.needs_body()) parts[kRequestBody] = interaction.request.body;
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
    entry.flags = static_cast<std::uint16_t>((wire.close_after ? kCloseAfter : 0) |
                                             (close_after_head ? kCloseAfterHead : 0));
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
  header.created = static_cast<std::uint64_t>(now.tv_sec) * 1000000000u +
                   static_cast<std::uint64_t>(now.tv_nsec);
  header.interactions = count;
  header.slots = static_cast<std::uint32_t>(slots.size());
  header.origins = static_cast<std::uint32_t>(origins.size());
  writer.put(0, &header, sizeof header);
  writer.put(header.entries_at, entries.data(), entries.size() * sizeof(Image::Entry));
  return writer.take();
} catch (const std::exception& problem) {
  return Error{"cannot compile the cassette " + context.path + ": " + problem.what()};
}

}  // namespace cassette
