// Looks into program files. See preloadable.h.
//
// What the dynamic linker does is decided by the kernel and by the file:
// - no PT_INTERP: there is no dynamic linker, so nobody reads LD_PRELOAD;
// - another PT_INTERP than ours: another C library (musl), which cannot load what needs this one;
// - another class or machine: the linker passes over a library of the wrong kind with a warning;
// - the program gains privileges by being started (set-user-ID, set-group-ID, file capabilities): AT_SECURE
//   is set, and LD_PRELOAD is ignored for paths with a slash.
#include "cli/preloadable.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "cli/find_program.h"

namespace cassette {
namespace {

/// The kernel's own limits (fs/binfmt_script.c, fs/exec.c).
constexpr std::size_t kScriptLine = 256;
constexpr int kScriptDepth = 5;

class File {
 public:
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }
  /// Up to `size` bytes at `offset`; fewer at the end of the file.
  std::string read(std::uint64_t offset, std::size_t size) const {
    std::string bytes(size, '\0');
    ssize_t count = pread(fd_, bytes.data(), size, static_cast<off_t>(offset));
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

 private:
  int fd_;
};

/// The fields of an ELF file that matter here.
struct ElfKind {
  unsigned char file_class = 0;
  unsigned char byte_order = 0;
  std::uint16_t machine = 0;
  std::string interpreter;  ///< empty: there is none
};

bool is_elf(std::string_view head) { return head.substr(0, SELFMAG) == ELFMAG; }

/// `head` is the first bytes of `file`. Of a foreign class or byte order only these two are read.
ElfKind read_elf(const File& file, std::string_view head) {
  ElfKind kind;
  if (head.size() < sizeof(ElfW(Ehdr))) return kind;
  ElfW(Ehdr) header;
  std::memcpy(&header, head.data(), sizeof header);
  kind.file_class = header.e_ident[EI_CLASS];
  kind.byte_order = header.e_ident[EI_DATA];
  // In both classes at the same place.
  kind.machine = header.e_machine;
  if (kind.file_class != (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32)) return kind;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const std::string bytes =
        file.read(header.e_phoff + std::uint64_t{i} * header.e_phentsize, sizeof(ElfW(Phdr)));
    if (bytes.size() < sizeof(ElfW(Phdr))) break;
    ElfW(Phdr) segment;
    std::memcpy(&segment, bytes.data(), sizeof segment);
    if (segment.p_type != PT_INTERP) continue;
    kind.interpreter = file.read(segment.p_offset, std::min<std::size_t>(segment.p_filesz, 4096));
    kind.interpreter.resize(std::strlen(kind.interpreter.c_str()));
  }
  return kind;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// What this very program is: libcassette.so was built with it.
const ElfKind& own_kind() {
  static const ElfKind kind = [] {
    File self("/proc/self/exe");
    return self.is_open() ? read_elf(self, self.read(0, sizeof(ElfW(Ehdr)))) : ElfKind{};
  }();
  return kind;
}

std::optional<std::string> why_not_elf(const std::string& path, const ElfKind& kind) {
  const ElfKind& own = own_kind();
  if (own.machine == 0) return std::nullopt;  // no /proc: nothing to compare with
  if (kind.machine != own.machine || kind.file_class != own.file_class ||
      kind.byte_order != own.byte_order) {
    return "is made for another architecture, which libcassette.so cannot be loaded into";
  }
  if (kind.interpreter.empty()) {
    // The dynamic linker itself, called by name, reads LD_PRELOAD without having an interpreter.
    std::error_code ignored;
    const std::string real = std::filesystem::canonical(path, ignored).string();
    if (!own.interpreter.empty() && base_name(real) == base_name(own.interpreter))
      return std::nullopt;
    return "is statically linked, so that LD_PRELOAD cannot enter it";
  }
  if (!own.interpreter.empty() && base_name(kind.interpreter) != base_name(own.interpreter)) {
    return "uses another C library (" + kind.interpreter + "), which cannot load libcassette.so";
  }
  return std::nullopt;
}

/// The conditions under which the kernel sets AT_SECURE.
std::optional<std::string> why_not_by_privileges(const std::string& path) {
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return std::nullopt;
  struct statvfs file_system {};
  if (statvfs(path.c_str(), &file_system) == 0 && (file_system.f_flag & ST_NOSUID) != 0)
    return std::nullopt;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  constexpr char kBecause[] = ", and the system ignores LD_PRELOAD for such programs";
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) {
    return std::string("is set-user-ID") + kBecause;
  }
  // Without S_IXGRP the bit means something else (mandatory locking).
  if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getgid()) {
    return std::string("is set-group-ID") + kBecause;
  }
  // The superuser gains nothing by them.
  if (getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    return std::string("has file capabilities") + kBecause;
  }
  return std::nullopt;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  while (true) {
    std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    std::size_t length = std::min(line.find_first_of(" \t"), line.size());
    words.emplace_back(line.substr(0, length));
    line.remove_prefix(length);
  }
}

/// The files that must be enterable for a script whose first line, without `#!`, has these words.
std::vector<std::string> interpreters(const std::vector<std::string>& words,
                                      const char* search_path) {
  if (words.empty()) return {};
  std::vector<std::string> files{words[0]};
  if (base_name(words[0]) != "env") return files;
  for (std::size_t i = 1; i < words.size(); ++i) {
    // Options (-S) and settings (NAME=value) stand before the program.
    if (words[i][0] == '-' || words[i].find('=') != std::string::npos) continue;
    FoundProgram found = find_program(words[i], search_path);
    if (found.error == 0) files.push_back(found.path);
    break;
  }
  return files;
}

std::optional<std::string> why_not(const std::string& path, const char* search_path, int depth) {
  File file(path);
  if (!file.is_open()) return std::nullopt;
  const std::string head = file.read(0, kScriptLine);
  if (is_elf(head)) {
    if (auto reason = why_not_elf(path, read_elf(file, head))) return reason;
    return why_not_by_privileges(path);
  }
  // What is no program in itself, execvp() gives to the shell.
  std::vector<std::string> files{"/bin/sh"};
  if (head.substr(0, 2) == "#!") {
    files =
        interpreters(words_of(std::string_view(head).substr(2, head.find('\n') - 2)), search_path);
  }
  if (depth == kScriptDepth) return std::nullopt;  // execve() will fail
  for (const std::string& interpreter : files) {
    auto reason = why_not(interpreter, search_path, depth + 1);
    // A script of a script has named its interpreter already.
    if (reason && reason->rfind("is a script", 0) == 0) return reason;
    if (reason) return "is a script of " + interpreter + ", which " + *reason;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> why_not_preloadable(const std::string& path, const char* search_path) {
  return why_not(path, search_path, 0);
}

}  // namespace cassette
