#include "store/session/cursors.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/inherited_files.h"
#include "store/session/descriptor.h"

namespace cassette {

namespace {

constexpr char kMagic[8] = {'c', 'a', 's', 's', 'c', 'u', 'r', '\n'};
constexpr char kHintsMagic[8] = {'c', 'a', 's', 's', 'h', 'i', 'n', '\n'};
constexpr std::uint32_t kVersion = 4;

/// Tells interactions from others: two images of one cassette that share cursors must have the same.
std::uint64_t fingerprint(const Image& image) {
  std::uint64_t hash = image.size();
  for (std::uint32_t i = 0; i < image.size(); ++i) {
    std::string_view id = image.id(i);
    hash = XXH3_64bits_withSeed(id.data(), id.size(), hash);
  }
  return hash;
}

/// A hole that cannot be filled later would be a SIGBUS in the program: takes the memory now.
Result<void> reserve(int descriptor, std::uint64_t bytes, const void* header, std::size_t size) {
  int problem = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  if (problem == 0 && pwrite(descriptor, header, size, 0) != static_cast<ssize_t>(size)) {
    problem = errno;
  }
  if (problem != 0) return Error{std::string("no memory for the session: ") + strerror(problem)};
  return {};
}

}  // namespace

void Cursors::fill(Header& header, const Image& image) {
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.interactions = image.size();
  header.fingerprint = fingerprint(image);
}

void Cursors::fill(HintsHeader& header, const Image& image) {
  std::memcpy(header.magic, kHintsMagic, sizeof kHintsMagic);
  header.version = kVersion;
  header.members = image.members();
}

Result<void> Cursors::create(int descriptor, const Image& image) {
  Header header{};
  fill(header, image);
  return reserve(descriptor, sizeof header + sizeof(Word) * std::uint64_t{image.size()}, &header,
                 sizeof header);
}

Result<void> Cursors::create_hints(int descriptor, const Image& image) {
  HintsHeader header{};
  fill(header, image);
  return reserve(descriptor, sizeof header + sizeof(Word) * std::uint64_t{image.members()}, &header,
                 sizeof header);
}

Result<Cursors::Mapping> Cursors::map_file(const std::string& file, std::uint64_t bytes) {
  Descriptor descriptor = open_or_inherit(file, O_RDWR);
  struct stat status {};
  if (!descriptor || fstat(descriptor.get(), &status) != 0) {
    return file_error("open the cursors", file, errno);
  }
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != bytes) {
    return Error{"the cursors " + file + " do not belong to the compiled cassette"};
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (memory == MAP_FAILED) return file_error("map the cursors", file, errno);
  return Mapping{memory, bytes};
}

Result<Cursors> Cursors::open(const std::string& cursors, const std::string& hints,
                              const Image& image) {
  const std::uint64_t words = sizeof(Word) * std::uint64_t{image.size()};
  Cursors opened;
  auto mapping = map_file(cursors, sizeof(Header) + words);
  if (!mapping) return mapping.error();
  opened.cursors_ = *mapping;
  mapping = map_file(hints, sizeof(HintsHeader) + sizeof(Word) * std::uint64_t{image.members()});
  if (!mapping) return mapping.error();
  opened.hints_file_ = *mapping;
  const Header& header = opened.header();
  const auto& hints_header = *static_cast<const HintsHeader*>(opened.hints_file_.memory);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
      header.interactions != image.size() ||
      std::memcmp(hints_header.magic, kHintsMagic, sizeof kHintsMagic) != 0 ||
      hints_header.version != kVersion || hints_header.members != image.members()) {
    return Error{"the cursors " + cursors + " are damaged or of another version"};
  }
  opened.adopt(image);
  return opened;
}

Result<Cursors> Cursors::in_memory(const Image& image) {
  const std::uint64_t words = sizeof(Word) * std::uint64_t{image.size()};
  const std::uint64_t hints = sizeof(Word) * std::uint64_t{image.members()};
  Cursors cursors;
  for (auto [mapping, bytes] : {std::pair{&cursors.cursors_, sizeof(Header) + words},
                                std::pair{&cursors.hints_file_, sizeof(HintsHeader) + hints}}) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return Error{std::string("no memory for cursors: ") + strerror(errno)};
    }
    *mapping = {memory, bytes};
  }
  cursors.adopt(image);
  return cursors;
}

void Cursors::adopt(const Image& image) {
  interactions_ = image.size();
  members_ = image.members();
  turns_ = reinterpret_cast<Word*>(static_cast<char*>(cursors_.memory) + sizeof(Header));
  hints_ = reinterpret_cast<Word*>(static_cast<char*>(hints_file_.memory) + sizeof(HintsHeader));
}

bool Cursors::belongs_to(const Image& image) const {
  return header().interactions == image.size() && header().fingerprint == fingerprint(image);
}

Cursors::Cursors(Cursors&& other) noexcept
    : cursors_(other.cursors_),
      hints_file_(other.hints_file_),
      interactions_(other.interactions_),
      members_(other.members_),
      turns_(other.turns_),
      hints_(other.hints_) {
  other.cursors_ = other.hints_file_ = {};
}

Cursors::~Cursors() {
  for (const Mapping& mapping : {cursors_, hints_file_}) {
    if (mapping.memory != nullptr) munmap(mapping.memory, mapping.bytes);
  }
}

/// `count`: how often it is taken now, in this round.
Cursors::Take Cursors::take(std::uint32_t interaction, std::uint32_t round, std::uint32_t times,
                            std::uint32_t* count) {
  Word& turn = turns_[interaction];
  std::uint64_t present = turn.load(std::memory_order_relaxed);
  for (;;) {
    if (later(round_of_turn(present), round)) return Take::kRewound;
    *count = count_in(present, round);
    if (is_used_up(*count, times)) return Take::kUsedUp;
    if (*count != kFull) ++*count;
    const std::uint64_t next = std::uint64_t{round} << 33 | kPlayed | *count;
    if (turn.compare_exchange_weak(present, next, std::memory_order_relaxed)) return Take::kTaken;
  }
}

/// Counts a play that uses nothing up. When a rewind came between it counts in the later round.
void Cursors::play_again(std::uint32_t interaction, std::uint32_t round) {
  std::uint32_t count = 0;
  while (take(interaction, round, 0, &count) == Take::kRewound) round = round_of_state(state());
  count_replayed();
}

void Cursors::count_replayed() {
  // Neighbours in time are not neighbours in memory: threads, and processes, count apart. By where the thread is in memory:
  // a thread-local variable of a library that comes late needs room that may be used up, or the program's malloc().
  static const auto process = static_cast<std::uint64_t>(getpid());
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;  // spreads neighbours
  const std::uint64_t thread = (static_cast<std::uint64_t>(pthread_self()) >> 12) + process;
  const std::uint64_t shard = (thread * kGolden >> 32) % kShards;
  header().shards[shard].replayed.fetch_add(1, std::memory_order_relaxed);
}

void Cursors::raise_hint(std::uint32_t group, std::uint32_t round, std::uint32_t value) {
  Word& hint = hints_[group];
  std::uint64_t present = hint.load(std::memory_order_relaxed);
  // Only upwards: a late thread must not send the others back over what they have passed.
  while (!later(round_of_state(present), round) &&
         (round_of_state(present) != round || position_of(present) < value) &&
         !hint.compare_exchange_weak(present, state_of(round, value), std::memory_order_relaxed)) {
  }
}

void Cursors::raise_position(std::uint32_t round, std::uint32_t value) const {
  Word& word = header().state;
  std::uint64_t present = word.load(std::memory_order_relaxed);
  // The round is the rewind's to change: a thread of an earlier one leaves the position alone.
  while (round_of_state(present) == round && position_of(present) < value &&
         !word.compare_exchange_weak(present, state_of(round, value), std::memory_order_relaxed)) {
  }
}

/// The first interaction at or behind `from` that has a turn and is not used up, or the size.
std::uint32_t Cursors::first_open(const Image& image, std::uint32_t round,
                                  std::uint32_t from) const {
  while (from < interactions_ && (image.times(from) == 0 || used_up_in(image, from, round))) ++from;
  return std::min(from, interactions_);
}

std::uint32_t Cursors::index(const Image& image) const {
  const std::uint64_t now = state();
  const std::uint32_t first = first_open(image, round_of_state(now), position_of(now));
  if (first > position_of(now)) raise_position(round_of_state(now), first);
  return first;
}

std::uint32_t Cursors::advance(const Image& image, bool plays) {
  for (;;) {
    const std::uint64_t now = state();
    const std::uint32_t round = round_of_state(now);
    const std::uint32_t first = first_open(image, round, position_of(now));
    if (first >= interactions_) return interactions_;
    Word& turn = turns_[first];
    std::uint64_t present = turn.load(std::memory_order_relaxed);
    bool taken = false;
    while (!taken && !later(round_of_turn(present), round) &&
           !is_used_up(count_in(present, round), image.times(first))) {
      const std::uint64_t played = plays ? kPlayed : present & kPlayed;
      taken = turn.compare_exchange_weak(present, std::uint64_t{round} << 33 | played | kFull,
                                         std::memory_order_relaxed);
    }
    if (!taken) continue;
    raise_position(round, first + 1);
    return first;
  }
}

void Cursors::rewind() {
  Word& word = header().state;
  std::uint64_t present = word.load(std::memory_order_relaxed);
  while (!word.compare_exchange_weak(present,
                                     state_of((round_of_state(present) + 1) & kRoundMask, 0),
                                     std::memory_order_relaxed)) {
  }
}

bool Cursors::played(std::uint32_t interaction) const {
  return interaction < interactions_ &&
         (turns_[interaction].load(std::memory_order_relaxed) & kPlayed) != 0;
}

void Cursors::forget_played() {
  for (std::uint32_t i = 0; i < interactions_; ++i) {
    turns_[i].fetch_and(~kPlayed, std::memory_order_relaxed);
  }
}

bool Cursors::used_up(const Image& image, std::uint32_t interaction) const {
  return interaction < interactions_ && used_up_in(image, interaction, round_of_state(state()));
}

std::uint64_t Cursors::replayed() const {
  std::uint64_t sum = 0;
  for (const Header::Shard& shard : header().shards) {
    sum += shard.replayed.load(std::memory_order_relaxed);
  }
  return sum;
}

std::uint64_t Cursors::unplayed() const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < interactions_; ++i) sum += played(i) ? 0 : 1;
  return sum;
}

}  // namespace cassette
