// See session_files.h.
#include "store/session/session_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/file_size_signal.h"
#include "store/files.h"
#include "store/inherited_files.h"
#include "store/log.h"

namespace cassette {

namespace {

constexpr std::string_view kSaysWell = "well\n";
constexpr std::string_view kSaysFailed = "failed\n";
constexpr std::string_view kSaysDiscarded = "discarded\n";

/// Takes a line off the front. What has no end was written by one who was killed.
std::optional<std::string_view> next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

/// Takes off the front what stands before the separator, or all there is.
std::string_view next_field(std::string_view& line, char separator) {
  const std::size_t end = std::min(line.find(separator), line.size());
  std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

}  // namespace

// As open(2) sees it: with the effective user.
bool exists(const std::string& path) {
  return faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0;
}

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::string unique_suffix() {
  static std::atomic<unsigned> counter{0};
  return std::to_string(getpid()) + "-" + std::to_string(nanoseconds(CLOCK_BOOTTIME)) + "-" +
         std::to_string(counter.fetch_add(1));
}

Result<void> write_new_file(const std::string& path, std::string_view bytes) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return file_error("write", path, errno);
  WithoutFileSizeSignal guard;
  while (!bytes.empty()) {
    ssize_t n = write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EFBIG) guard.came();
    if (n <= 0) return file_error("write", path, n < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> opened(opendir(directory.c_str()), closedir);
  if (!opened) return names;
  while (const dirent* entry = readdir(opened.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

void remove_session_directory(const std::string& directory) {
  for (const std::string& name : names_in(directory)) {
    if (name == "alive") continue;
    const std::string path = directory + "/" + name;
    if (unlink(path.c_str()) == 0 || errno != EISDIR) continue;
    for (const std::string& file : names_in(path)) unlink((path + "/" + file).c_str());
    rmdir(path.c_str());
  }
  unlink((directory + "/alive").c_str());
  rmdir(directory.c_str());
}

std::string sessions_directory(const std::string& runtime_dir) { return runtime_dir + "/sessions"; }

Result<void> prepare_sessions_directory(const std::string& runtime_dir) {
  std::string sessions = sessions_directory(runtime_dir);
  if (auto made = make_directories(directory_of(runtime_dir)); !made) return made;
  for (const std::string& directory : {runtime_dir, sessions}) {
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
      return file_error("make the directory for sessions", directory, errno);
    }
    struct stat status {};
    if (lstat(directory.c_str(), &status) != 0) {
      return file_error("use the directory for sessions", directory, errno);
    }
    // In a place that everybody can write to, somebody else may have been there first.
    if (!S_ISDIR(status.st_mode)) {
      return Error{"cannot keep sessions in " + directory + ": it is not a directory"};
    }
    if (status.st_uid != geteuid()) {
      return Error{"cannot keep sessions in " + directory + ": it belongs to another user"};
    }
    if ((status.st_mode & 022) != 0) {
      return Error{"cannot keep sessions in " + directory + ": others can write to it"};
    }
  }
  return {};
}

std::string write_alive_text(const AliveText& text) {
  return "cassette-session 1 " + text.token + " " + std::to_string(text.time_to_live.count()) +
         " " + (text.tree.empty() ? "-" : text.tree) + "\n";
}

std::optional<AliveText> read_alive_text(int descriptor) {
  char bytes[1024];
  ssize_t size = pread(descriptor, bytes, sizeof bytes, 0);
  if (size <= 0 || bytes[size - 1] != '\n') return std::nullopt;
  std::string_view line(bytes, static_cast<std::size_t>(size) - 1);
  constexpr std::string_view kBegin = "cassette-session 1 ";
  if (!line.starts_with(kBegin)) return std::nullopt;
  line.remove_prefix(kBegin.size());
  std::size_t first = line.find(' ');
  std::size_t second = line.rfind(' ');
  if (first == std::string_view::npos || second <= first) return std::nullopt;
  AliveText text;
  text.token = line.substr(0, first);
  long long milliseconds = 0;
  std::string_view number = line.substr(first + 1, second - first - 1);
  if (std::from_chars(number.data(), number.data() + number.size(), milliseconds).ec !=
      std::errc()) {
    return std::nullopt;
  }
  text.time_to_live = std::chrono::milliseconds(milliseconds);
  text.tree = line.substr(second + 1);
  if (text.tree == "-") text.tree.clear();
  return text;
}

bool leads_to_open_file(const std::string& path, int descriptor) {
  struct stat there {
  }, opened{};
  return lstat(path.c_str(), &there) == 0 && fstat(descriptor, &opened) == 0 &&
         there.st_dev == opened.st_dev && there.st_ino == opened.st_ino;
}

void note_ending(const std::string& directory, bool ended_well, bool discards) {
  const bool discarded = !ended_well && discards;
  if (!exists(directory + "/alive")) {
    const int kept = inherited_file(directory + kEnding);
    const std::string_view text = ended_well ? kSaysWell : discarded ? kSaysDiscarded : kSaysFailed;
    if (kept >= 0) (void)!pwrite(kept, text.data(), text.size(), 0);
    return;
  }
  auto note = [&directory](const char* name) {
    const std::string path = directory + name;
    Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file && errno != ENOENT) log(LogLevel::kWarn, file_error("make", path, errno).message);
  };
  if (discarded) note(kDiscarded);
  note(ended_well ? kEndedWell : kEndedFailed);
}

Ending ending_of(const std::string& directory) {
  auto noted = exists(directory + kEnding) ? read_file(directory + kEnding)
                                           : Result<std::string>(std::string());
  auto says = [&noted](std::string_view text) { return noted && *noted == text; };
  const bool discarded = says(kSaysDiscarded);
  return {.well = exists(directory + kEndedWell) || says(kSaysWell),
          .failed = exists(directory + kEndedFailed) || says(kSaysFailed) || discarded,
          .discarded = exists(directory + kDiscarded) || discarded};
}

void write_note(const std::string& directory, const NotRecorded& note) {
  std::string line;
  for (const std::string* part : {&note.cassette, &note.what, &note.why}) {
    for (char c : *part) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    line += '\t';
  }
  line.back() = '\n';
  Descriptor file = open_or_inherit(directory + kNotRecorded, O_WRONLY | O_APPEND | O_CREAT, 0600);
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0 || status.st_size > kMostNotes) return;
  WithoutFileSizeSignal guard;
  if (write(file.get(), line.data(), line.size()) < 0 && errno == EFBIG) guard.came();
}

std::vector<NotRecorded> read_notes(const std::string& directory) {
  std::vector<NotRecorded> notes;
  if (!exists(directory + kNotRecorded)) return notes;
  auto bytes = read_file(directory + kNotRecorded);
  if (!bytes) return notes;
  std::string_view rest = *bytes;
  while (auto whole = next_line(rest)) {
    std::string_view line = *whole;
    NotRecorded note;
    for (std::string* part : {&note.cassette, &note.what, &note.why}) {
      *part = next_field(line, '\t');
    }
    notes.push_back(std::move(note));
  }
  return notes;
}

std::string hexadecimal(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::uint64_t cassette_key(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return XXH3_64bits(path.data(), path.size());
}

std::vector<OpenCassette> open_all_cassettes(const std::string& directory) {
  constexpr std::string_view kImage = ".image";
  std::vector<OpenCassette> cassettes;
  std::vector<std::string> names = names_in(directory);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.front() == '.') continue;
    std::string inside = directory + "/" + name;
    // One image stands for all: they differ in what is matched, not in the interactions.
    for (const std::string& file : names_in(inside)) {
      if (!file.ends_with(kImage)) continue;
      std::string base = inside + "/" + file.substr(0, file.size() - kImage.size());
      auto image = Image::open(base + ".image");
      if (!image) {
        log(LogLevel::kWarn, image.error().message);
        continue;
      }
      auto cursors = Cursors::open(inside + "/cursors", base + ".hints", *image);
      if (!cursors) continue;
      std::uint64_t key = cassette_key(image->path());
      cassettes.push_back({std::make_shared<const Image>(std::move(*image)),
                           std::make_shared<Cursors>(std::move(*cursors)), key, inside});
      break;
    }
  }
  return cassettes;
}

SessionTotals read_totals(const std::string& directory) {
  SessionTotals totals;
  if (!exists(directory + "/totals")) return totals;
  auto bytes = read_file(directory + "/totals");
  if (!bytes) return totals;
  std::string_view rest = *bytes;
  while (auto whole = next_line(rest)) {
    std::string_view line = *whole;
    auto word = [&line] { return std::string(next_field(line, ' ')); };
    std::string kind = word();
    if (kind == "played") {
      std::string id = word();
      totals.played.emplace_back(std::string(line), id);
    } else if (kind == "counts") {
      CassetteCounts counts;
      for (std::uint64_t* number :
           {&counts.replayed, &counts.recorded, &counts.missed, &counts.record_failures,
            &counts.relayed, &counts.refused, &counts.redacted, &counts.interactions}) {
        *number = std::strtoull(word().c_str(), nullptr, 10);
      }
      counts.path = line;
      totals.counts.push_back(std::move(counts));
    }
  }
  return totals;
}

}  // namespace cassette
