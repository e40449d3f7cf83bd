#include "store/session/cursors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "store/files.h"
#include "store/session/descriptor.h"

namespace cassette {

namespace {

constexpr char kMagic[8] = {'c', 'a', 's', 's', 'c', 'u', 'r', '\n'};
constexpr std::uint32_t kVersion = 1;

}  // namespace

std::uint64_t Cursors::bytes_for(const Image& image) {
  return sizeof(Header) + sizeof(Atomic32) * (std::uint64_t{image.size()} + image.group_numbers());
}

void Cursors::write_header(const Image& image, Header& header) {
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.interactions = image.size();
  header.groups = image.group_numbers();
}

Result<void> Cursors::create(int descriptor, const Image& image) {
  auto bytes = static_cast<off_t>(bytes_for(image));
  // A hole that cannot be filled later would be a SIGBUS in the program: take the memory now.
  int problem = posix_fallocate(descriptor, 0, bytes);
  if (problem != 0) return Error{std::string("no memory for the session: ") + strerror(problem)};
  alignas(Header) char space[sizeof(Header)] = {};
  write_header(image, *new (space) Header{});
  if (pwrite(descriptor, space, sizeof space, 0) != static_cast<ssize_t>(sizeof space)) {
    return Error{std::string("no memory for the session: ") + strerror(errno)};
  }
  return {};
}

Result<Cursors> Cursors::open(const std::string& file, const Image& image) {
  Descriptor descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!descriptor || fstat(descriptor.get(), &status) != 0) {
    return file_error("open the cursors", file, errno);
  }
  std::uint64_t bytes = bytes_for(image);
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != bytes) {
    return Error{"the cursors " + file + " do not belong to the compiled cassette"};
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (memory == MAP_FAILED) return file_error("map the cursors", file, errno);
  Cursors cursors;
  cursors.memory_ = memory;
  cursors.bytes_ = bytes;
  const Header& header = cursors.header();
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
      header.interactions != image.size() || header.groups != image.group_numbers()) {
    return Error{"the cursors " + file + " are damaged or of another version"};
  }
  cursors.interactions_ = image.size();
  cursors.groups_ = image.group_numbers();
  cursors.plays_ = reinterpret_cast<Atomic32*>(static_cast<char*>(memory) + sizeof(Header));
  cursors.hints_ = cursors.plays_ + cursors.interactions_;
  return cursors;
}

Result<Cursors> Cursors::in_memory(const Image& image) {
  std::uint64_t bytes = bytes_for(image);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{std::string("no memory for cursors: ") + strerror(errno)};
  Cursors cursors;
  cursors.memory_ = memory;
  cursors.bytes_ = bytes;
  write_header(image, cursors.header());
  cursors.interactions_ = image.size();
  cursors.groups_ = image.group_numbers();
  cursors.plays_ = reinterpret_cast<Atomic32*>(static_cast<char*>(memory) + sizeof(Header));
  cursors.hints_ = cursors.plays_ + cursors.interactions_;
  return cursors;
}

Cursors::Cursors(Cursors&& other) noexcept
    : memory_(other.memory_),
      bytes_(other.bytes_),
      interactions_(other.interactions_),
      groups_(other.groups_),
      plays_(other.plays_),
      hints_(other.hints_) {
  other.memory_ = nullptr;
}

Cursors::~Cursors() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

void Cursors::count_play(std::uint32_t interaction) {
  Atomic32& count = plays(interaction);
  // Never around to 0, which would mean unplayed (invariant 1): stops just below the end, with room
  // for every thread that is between the two lines.
  if (count.load(std::memory_order_relaxed) < std::numeric_limits<std::uint32_t>::max() / 2) {
    count.fetch_add(1, std::memory_order_relaxed);
  }
}

void Cursors::raise_hint(std::uint32_t group, std::uint32_t value) {
  Atomic32& hint = hints_[group];
  std::uint32_t present = hint.load(std::memory_order_relaxed);
  // Only upwards: a late thread must not send the others back over what they have passed.
  while (present < value &&
         !hint.compare_exchange_weak(present, value, std::memory_order_relaxed)) {
  }
}

bool Cursors::played(std::uint32_t interaction) const {
  return interaction < interactions_ &&
         (plays(interaction).load(std::memory_order_relaxed) != 0 || interaction < position());
}

std::uint64_t Cursors::replayed() const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < interactions_; ++i) {
    sum += plays(i).load(std::memory_order_relaxed);
  }
  return sum;
}

std::uint64_t Cursors::unplayed() const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < interactions_; ++i) sum += played(i) ? 0 : 1;
  return sum;
}

}  // namespace cassette
