// See known_secrets.h.
#include "store/redaction/known_secrets.h"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <iterator>
#include <utility>

#include "parser/headers.h"
#include "store/inherited_files.h"
#include "store/redaction/decoded_text.h"
#include "store/redaction/placeholder.h"
#include "store/session/descriptor.h"

namespace cassette {
namespace {

constexpr std::size_t kHeader = 64;
constexpr char kMagic[] = "casssec1";
constexpr std::size_t kKeyAt = 16;
constexpr std::size_t kShortest = 8;
constexpr std::size_t kLongest = 64 * 1024;
constexpr std::size_t kTags = 65536;
/// 32 MB of entries. Whoever gets more secrets than that has other worries.
constexpr std::uint64_t kMostBytes = std::uint64_t{32} << 20;

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A secret begins and ends where no letter or digit goes on.
bool is_boundary(std::string_view text, std::size_t at) {
  return at == 0 || at == text.size() || !is_word_character(text[at - 1]) ||
         !is_word_character(text[at]);
}

bool is_worth_it(std::string_view value) {
  if (value.size() < kShortest || value.size() > kLongest || is_placeholder(value)) return false;
  if (value.find_first_of(" \t\r\n") != std::string_view::npos && !value.starts_with("-----BEGIN"))
    return false;
  // "********", "........", "00000000"
  if (value.find_first_not_of(value.front()) == std::string_view::npos) return false;
  if (std::none_of(value.begin(), value.end(), is_word_character)) return false;
  constexpr std::string_view kNoSecrets[] = {"required",  "optional",  "disabled",   "undefined",
                                             "redacted",  "encrypted", "password",   "unchanged",
                                             "inherited", "generated", "[redacted]", "[filtered]",
                                             "protected", "sensitive", "(redacted)"};
  return std::none_of(std::begin(kNoSecrets), std::end(kNoSecrets),
                      [value](std::string_view word) { return equals_ignoring_case(value, word); });
}

/// Calls `each` for the pieces of the text that hold `mark` and none of `ends`.
template <typename Each>
void for_each_piece(std::string_view text, std::string_view marks, std::string_view ends,
                    Each each) {
  for (std::size_t at = text.find_first_of(marks); at != std::string_view::npos;) {
    const std::size_t before = text.find_last_of(ends, at);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::size_t end = std::min(text.find_first_of(ends, at), text.size());
    each(begin, end);
    at = text.find_first_of(marks, end);
  }
}

}  // namespace

KnownSecrets::KnownSecrets(std::string path) : path_(std::move(path)) {}

bool KnownSecrets::refresh() {
  std::lock_guard guard(mutex_);
  read_new();
  return !entries_.empty();
}

void KnownSecrets::remember(const std::vector<std::string>& values) {
  std::lock_guard guard(mutex_);
  bool opened = false;
  Descriptor file;
  for (const std::string& value : values) {
    if (!is_worth_it(value)) continue;
    if (!std::exchange(opened, true)) {
      make_file();
      read_new();
      if (!std::exchange(has_key_, true)) key_ = make_hash_key();
      if (read_ > 0 && read_ < kMostBytes) file = open_or_inherit(path_, O_WRONLY | O_APPEND);
    }
    if (known_at(value) == value.size()) continue;
    const Entry entry = entry_of(value);
    learn(entry);
    // What does not fit is known here all the same.
    if (file) static_cast<void>(!write(file.get(), &entry, sizeof entry));
  }
}

void KnownSecrets::keep_open(const KeepFile& keep) {
  std::lock_guard guard(mutex_);
  if (path_.empty() || inherited_file(path_) >= 0) return;
  make_file();
  keep(path_, open_or_inherit(path_, O_RDWR | O_APPEND));
}

/// Unless it is there. Where it cannot be made, there is none.
void KnownSecrets::make_file() const {
  if (path_.empty() || exists_or_inherited(path_)) return;
  std::array<std::uint8_t, kHeader> header{};
  std::memcpy(header.data(), kMagic, 8);
  // What was known without a file goes on under its key.
  const HashKey key = has_key_ ? key_ : make_hash_key();
  std::copy(key.begin(), key.end(), header.begin() + kKeyAt);
  // A thread of ours may be at it, too.
  static std::atomic<unsigned> attempts{0};
  const std::string made =
      path_ + "." + std::to_string(getpid()) + "-" + std::to_string(attempts.fetch_add(1));
  Descriptor file(open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return;
  // Of several processes the first one's counts.
  if (write(file.get(), header.data(), header.size()) == kHeader)
    static_cast<void>(link(made.c_str(), path_.c_str()));
  unlink(made.c_str());
}

void KnownSecrets::read_new() {
  if (path_.empty()) return;
  struct stat status {};
  if (stat(path_.c_str(), &status) != 0) {
    const int inherited = inherited_file(path_);
    if (inherited < 0 || fstat(inherited, &status) != 0) return;
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < kHeader || size == read_) return;
  Descriptor file = open_or_inherit(path_, O_RDONLY);
  if (!file) return;
  if (read_ == 0) {
    std::array<std::uint8_t, kHeader> header{};
    if (pread(file.get(), header.data(), kHeader, 0) != kHeader ||
        std::memcmp(header.data(), kMagic, 8) != 0)
      return;
    HashKey key{};
    std::copy_n(header.begin() + kKeyAt, key.size(), key.begin());
    // What this process knew alone, under a key of its own, cannot be told any more.
    if (has_key_ && key != key_) {
      entries_.clear();
      tags_.clear();
    }
    key_ = key;
    has_key_ = true;
    read_ = kHeader;
  }
  std::array<Entry, 256> entries;
  for (;;) {
    const ssize_t got =
        pread(file.get(), entries.data(), sizeof entries, static_cast<off_t>(read_));
    if (got < static_cast<ssize_t>(sizeof(Entry)) || read_ > kMostBytes) return;
    const std::size_t count = static_cast<std::size_t>(got) / sizeof(Entry);
    for (std::size_t i = 0; i < count; ++i) learn(entries[i]);
    read_ += count * sizeof(Entry);
  }
}

void KnownSecrets::learn(const Entry& entry) {
  if (entry.length < kShortest || entry.length > kLongest || entry.tag >= kTags) return;
  const auto [first, last] = entries_.equal_range(entry.tag);
  const bool known = std::any_of(
      first, last, [&entry](const auto& old) { return old.second.digest == entry.digest; });
  if (known) return;
  entries_.emplace(entry.tag, entry);
  tags_.resize(kTags);
  tags_[entry.tag] = true;
}

std::uint32_t KnownSecrets::tag_of(std::string_view text) const {
  std::uint64_t seed = 0;
  std::memcpy(&seed, key_.data(), sizeof seed);
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(text.data(), kShortest, seed)) %
         static_cast<std::uint32_t>(kTags);
}

KnownSecrets::Entry KnownSecrets::entry_of(std::string_view value) const {
  return {static_cast<std::uint32_t>(value.size()), tag_of(value), keyed_hash(key_, value), 0};
}

std::size_t KnownSecrets::known_at(std::string_view text) const {
  if (tags_.empty() || text.size() < kShortest) return 0;
  const std::uint32_t tag = tag_of(text);
  if (!tags_[tag]) return 0;
  std::size_t longest = 0;
  const auto [first, last] = entries_.equal_range(tag);
  for (auto it = first; it != last; ++it) {
    const Entry& entry = it->second;
    if (entry.length <= longest || entry.length > text.size() || !is_boundary(text, entry.length))
      continue;
    if (keyed_hash(key_, text.substr(0, entry.length)) == entry.digest) longest = entry.length;
  }
  return longest;
}

void KnownSecrets::find_plain(std::string_view text, std::vector<Edit>& edits) const {
  for (std::size_t i = 0; i + kShortest <= text.size(); ++i) {
    if (!is_boundary(text, i)) continue;
    const std::size_t length = known_at(text.substr(i));
    if (length == 0) continue;
    edits.push_back({i, length, placeholder_for(text.substr(i, length), Side::kResponse)});
    i += length - 1;
  }
}

std::string KnownSecrets::redact_uri(std::string_view uri) const {
  std::size_t begin = uri.find("://");
  begin = begin == std::string_view::npos ? 0 : begin + 3;
  begin = std::min(uri.find_first_of("/?#", begin), uri.size());
  const std::string_view rest = uri.substr(begin);
  return std::string(uri.substr(0, begin)) + apply_edits(rest, find(rest));
}

std::vector<Edit> KnownSecrets::find(std::string_view text) const {
  std::lock_guard guard(mutex_);
  std::vector<Edit> edits;
  if (entries_.empty()) return edits;
  find_plain(text, edits);
  auto find_written = [&](Writing writing, std::string_view marks, std::string_view ends) {
    std::vector<Edit> more;
    for_each_piece(text, marks, ends, [&](std::size_t begin, std::size_t end) {
      const DecodedText decoded = decode_text(text.substr(begin, end - begin), writing);
      std::vector<Edit> found;
      find_plain(decoded.text, found);
      for (const Edit& edit : found) more.push_back(edit_as_written(decoded, edit, begin, writing));
    });
    edits = merge_edits(std::move(edits), more);
  };
  find_written(Writing::kPercent, "%", "&\"'<> \t\r\n");
  find_written(Writing::kJsonString, "\\", "\"");
  return edits;
}

}  // namespace cassette
