// Reading a compiled cassette. See image.h.
#include "store/image/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>

#include "store/files.h"
#include "store/image/image_layout.h"
#include "store/inherited_files.h"
#include "store/match/likeness.h"
#include "store/session/descriptor.h"

namespace cassette {

using namespace image_layout;

void image_layout::seal(std::string& bytes) {
  static_assert(offsetof(Image::Header, checksum) == kChecksumAt);
  if (bytes.size() < sizeof(Image::Header)) return;
  const std::uint64_t sum = checksum(bytes);
  std::memcpy(bytes.data() + kChecksumAt, &sum, sizeof sum);
}

Result<Image> Image::open(const std::string& file) {
  Descriptor descriptor = open_or_inherit(file, O_RDONLY);
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
  const bool is_unchanged = size > kAlwaysSummed && image.created_ == nanoseconds(status.st_mtim);
  if (adopted && !is_unchanged) adopted = image.check_sum();
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
  if (adopted) adopted = image.check_sum();
  if (!adopted) return Error{"a compiled cassette cannot be used: " + adopted.error().message};
  return image;
}

void Image::set_created(std::string& bytes, std::uint64_t created) {
  std::memcpy(bytes.data() + offsetof(Header, created), &created, sizeof created);
  seal(bytes);
}

void Image::mark_unchanged(const std::string& file, const Image& image) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const timespec stamp{static_cast<time_t>(image.created_ / kSecond),
                       static_cast<long>(image.created_ % kSecond)};
  const timespec times[2] = {stamp, stamp};
  (void)utimensat(AT_FDCWD, file.c_str(), times, AT_SYMLINK_NOFOLLOW);
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
      member_count_(other.member_count_),
      servers_(other.servers_),
      created_(other.created_),
      digest_key_(other.digest_key_),
      path_(other.path_),
      settings_(other.settings_),
      entries_(other.entries_),
      slot_table_(other.slot_table_),
      members_(other.members_),
      origin_table_(other.origin_table_),
      server_table_(other.server_table_) {
  other.bytes_ = nullptr;
  other.servers_ = 0;
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
      !inside(header.members_at, header.members, sizeof(std::uint32_t)) ||
      !inside(header.origins_at, header.origins, sizeof(std::uint64_t)) ||
      header.servers > std::numeric_limits<std::uint32_t>::max() ||
      !inside(header.servers_at, header.servers, sizeof(ServerEntry))) {
    return Error{"it is damaged"};
  }
  flags_ = header.flags;
  size_ = header.interactions;
  slots_ = header.slots;
  origins_ = header.origins;
  member_count_ = header.members;
  servers_ = static_cast<std::uint32_t>(header.servers);
  created_ = header.created;
  digest_key_ = header.digest_key;
  path_ = view(header.path_at, header.path_size);
  settings_ = view(header.settings_at, header.settings_size);
  entries_ = reinterpret_cast<const Entry*>(bytes + header.entries_at);
  slot_table_ = reinterpret_cast<const Slot*>(bytes + header.slots_at);
  members_ = reinterpret_cast<const std::uint32_t*>(bytes + header.members_at);
  origin_table_ = reinterpret_cast<const std::uint64_t*>(bytes + header.origins_at);
  server_table_ = reinterpret_cast<const ServerEntry*>(bytes + header.servers_at);
  return {};
}

Result<void> Image::check_sum() const {
  Header header;
  std::memcpy(&header, bytes_, sizeof header);
  if (header.checksum != checksum({bytes_, total_})) return Error{"it is damaged"};
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
bool Image::redacted_before(std::uint32_t interaction) const {
  return (entry(interaction).flags & kRedactedBefore) != 0;
}
bool Image::has_redacted_before() const { return (flags_ & kHasRedactedBefore) != 0; }
bool Image::bodies_vary() const { return (flags_ & kBodiesVary) != 0; }
std::string_view Image::path() const { return path_; }
std::string_view Image::settings() const { return settings_; }

Image::Group Image::find(const MatchKey& key) const {
  // At most `slots_` probes, so that a damaged table without an empty slot ends too.
  for (std::uint32_t probe = 0; probe < slots_; ++probe) {
    std::uint32_t number = (static_cast<std::uint32_t>(key.low) + probe) & (slots_ - 1);
    const Slot& slot = slot_table_[number];
    if (slot.count == 0) return {};
    if (slot.high == key.high && slot.low == key.low) return group_in(number);
  }
  return {};
}

Image::Group Image::group_of(std::uint32_t interaction) const {
  std::uint32_t number = entry(interaction).group;
  if (interaction >= size_ || number >= slots_) return {};
  return group_in(number);
}

Image::Group Image::group_in(std::uint32_t slot) const {
  const Slot& found = slot_table_[slot];
  // No more members than there can be: who goes through them would be at it for minutes.
  const std::uint32_t most = found.first < member_count_ ? member_count_ - found.first : 0;
  return {found.first, found.first, std::min(found.count, most), found.flags};
}

std::uint32_t Image::member(const Group& group, std::uint32_t index) const {
  std::uint64_t at = std::uint64_t{group.first} + index;
  // A member that is none is answered with a number that is none, which every user checks anyway.
  return at < member_count_ ? std::min(members_[at], size_) : size_;
}

bool Image::answers_for(std::string_view host, std::uint16_t port) const {
  return std::binary_search(origin_table_, origin_table_ + origins_, origin_hash(host, port));
}

RecordedCertificate Image::certificate(std::string_view host, std::uint16_t port) const {
  RecordedCertificate found;
  const std::uint64_t place = origin_hash(host, port);
  const ServerEntry* const end = server_table_ + servers_;
  const ServerEntry* const entry = std::lower_bound(
      server_table_, end, place,
      [](const ServerEntry& each, std::uint64_t asked) { return each.place < asked; });
  if (entry == end || entry->place != place) return found;
  std::string_view packed = view(entry->chain_at, entry->chain_size);
  std::uint32_t size = 0;
  while (!packed.empty()) {
    if (packed.size() < sizeof size) return {};
    std::memcpy(&size, packed.data(), sizeof size);
    packed.remove_prefix(sizeof size);
    if (size == 0 || size > packed.size()) return {};  // damaged
    found.certificate.chain.emplace_back(packed.substr(0, size));
    packed.remove_prefix(size);
  }
  found.certificate.trusted = entry->trusted != 0;
  found.recorded_at = entry->recorded_at;
  return found;
}

std::uint32_t Image::times(std::uint32_t interaction) const { return entry(interaction).times; }
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

namespace {

/// Takes the first field off packed headers; false when there is none left.
bool next_field(std::string_view& packed, Headers::Field& field) {
  std::uint32_t sizes[2];
  if (packed.size() < sizeof sizes) return false;
  std::memcpy(sizes, packed.data(), sizeof sizes);
  packed.remove_prefix(sizeof sizes);
  if (packed.size() < std::uint64_t{sizes[0]} + sizes[1]) return false;
  field = {packed.substr(0, sizes[0]), packed.substr(sizes[0], sizes[1])};
  packed.remove_prefix(std::size_t{sizes[0]} + sizes[1]);
  return true;
}

}  // namespace

void Image::request_headers(std::uint32_t interaction, Headers& headers) const {
  headers.clear();
  std::string_view packed = text(interaction, kRequestHeaders);
  Headers::Field field;
  while (next_field(packed, field)) headers.add(field.name, field.value);
}

std::uint32_t Image::identity(std::uint32_t interaction) const {
  return entry(interaction).identity;
}

bool Image::answers_conditions(std::uint32_t interaction, const Headers& incoming) const {
  const std::uint16_t flags = entry(interaction).flags;
  if ((flags & kAsksCondition) != 0) return is_conditional(incoming);
  if ((flags & kAsksRange) == 0) return true;
  const auto asked = incoming.find("Range");
  std::string_view packed = text(interaction, kRequestHeaders);
  Headers::Field field;
  while (asked && next_field(packed, field)) {
    if (equals_ignoring_case(field.name, "Range")) return field.value == *asked;
  }
  return false;
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
bool Image::answers_before_body(std::uint32_t interaction) const {
  return (entry(interaction).flags & kBeforeBody) != 0;
}
ResponseEnd Image::end(std::uint32_t interaction) const {
  return static_cast<ResponseEnd>(entry(interaction).flags >> kEndShift & 3);
}
bool Image::answers_early() const { return (flags_ & kAnswersEarly) != 0; }
std::span<const Piece> Image::pieces(std::uint32_t interaction) const {
  const Entry& entry = this->entry(interaction);
  if (entry.pieces_at % alignof(Piece) != 0) return {};
  auto bytes = view(entry.pieces_at, entry.pieces * std::uint64_t{sizeof(Piece)});
  auto* first = reinterpret_cast<const Piece*>(bytes.data());
  return {first, bytes.size() / sizeof(Piece)};
}

}  // namespace cassette
