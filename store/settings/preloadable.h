// Whether LD_PRELOAD can enter a program. One that it cannot enter would run as if nothing were there, and
// reach the network: `cassette run` refuses it, the thin library says so when a child becomes one. Reads the
// file's head and attributes, executes nothing. Needs libc alone, no memory but the stack's, and only calls
// that are allowed in the child of a vfork(): the thin library includes it.
//
// What the dynamic linker does is decided by the kernel and by the file:
// - no PT_INTERP: there is no dynamic linker, so nobody reads LD_PRELOAD;
// - another PT_INTERP than ours: another C library (musl), which cannot load what needs this one;
// - another class or machine: the linker passes over a library of the wrong kind with a warning;
// - a program made by Go, dynamically linked as well (cgo): its library makes system calls of its own, and no hook sees them;
// - the program gains privileges by being started (set-user-ID, set-group-ID, file capabilities): AT_SECURE
//   is set, and LD_PRELOAD is ignored for paths with a slash.
#pragma once

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace cassette {

/// 0 when execve() would at least try the file, else the errno that it would give.
inline int execute_error(const char* path) {
  struct stat status {};
  if (stat(path, &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EACCES;
  // With the effective ids, as execve() does.
  return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/// `name` in the folder that begins at `entry` of a search path.
inline void write_candidate(const char* entry, const char* name, char* out, std::size_t size) {
  const char* end = strchrnul(entry, ':');
  const int length = static_cast<int>(end - entry);
  // An empty entry is the working directory.
  std::snprintf(out, size, "%.*s/%s", length != 0 ? length : 1, length != 0 ? entry : ".", name);
}

/// Which file a command's name stands for, into `out`: what execvp() would start. 0, or the errno that it
/// would give (ENOENT, EACCES). `search_path`: the value of PATH; nullptr: not set, then the system's
/// default counts.
inline int search_program(const char* name, const char* search_path, char* out, std::size_t size) {
  if (std::strchr(name, '/') != nullptr || name[0] == '\0') {
    std::snprintf(out, size, "%s", name);
    return name[0] == '\0' ? ENOENT : execute_error(name);
  }
  char standard[256];
  if (search_path == nullptr) {
    if (confstr(_CS_PATH, standard, sizeof standard) == 0)
      std::strcpy(standard, "/bin:/usr/bin");  // as glibc had it
    search_path = standard;
  }
  const char* forbidden = nullptr;
  for (const char* entry = search_path; entry != nullptr; entry = std::strchr(entry, ':')) {
    if (entry != search_path) ++entry;
    write_candidate(entry, name, out, size);
    const int error = execute_error(out);
    if (error == 0) return 0;
    // One that may not be executed is passed over, and told about when there is no better one.
    if (error == EACCES && forbidden == nullptr) forbidden = entry;
  }
  if (forbidden != nullptr) {
    write_candidate(forbidden, name, out, size);
    return EACCES;
  }
  std::snprintf(out, size, "%s", name);
  return ENOENT;
}

/// Looks into one program; `reason` is the end of a sentence that begins with the program's name.
class PreloadCheck {
 public:
  PreloadCheck(const char* search_path, char* reason, std::size_t size)
      : search_path_(search_path), reason_(reason), size_(size) {}

  /// False when it cannot be entered. A file that cannot be read can, for LD_PRELOAD does not need that.
  bool can_enter(const char* path, int depth = 0) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return true;
    char head[kScriptLine + 1];
    ssize_t got = pread(fd, head, kScriptLine, 0);
    head[got > 0 ? got : 0] = '\0';
    if (got >= SELFMAG && std::memcmp(head, ELFMAG, SELFMAG) == 0) {
      const bool good = can_enter_elf(path, fd);
      close(fd);
      return good && can_enter_with_privileges(path);
    }
    close(fd);
    if (depth == kScriptDepth) return true;  // execve() will fail
    // What is no program in itself, execvp() gives to the shell.
    if (got < 2 || head[0] != '#' || head[1] != '!') return can_enter_script("/bin/sh", depth);
    if (char* line = std::strchr(head, '\n')) *line = '\0';
    return can_enter_script_of(head + 2, depth);
  }

 private:
  // The kernel's own limits (fs/binfmt_script.c, fs/exec.c).
  static constexpr int kScriptLine = 256;
  static constexpr int kScriptDepth = 5;
  /// Threads may have small stacks; what has a longer name is not an ordinary interpreter.
  static constexpr std::size_t kLongestName = 512;
  static constexpr char kIgnored[] = "and the system ignores LD_PRELOAD for such programs";

  bool refuse(const char* format, const char* a = "", const char* b = "") {
    std::snprintf(reason_, size_, format, a, b);
    return false;
  }

  static const char* base_name(const char* path) {
    const char* slash = std::strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
  }

  /// Of the running program; empty: there is none (it was started through the dynamic linker).
  static const char* own_interpreter() {
    auto* segments = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
    const unsigned long count = segments != nullptr ? getauxval(AT_PHNUM) : 0;
    ElfW(Addr) base = 0;
    for (unsigned long i = 0; i < count; ++i) {
      if (segments[i].p_type == PT_PHDR)
        base = reinterpret_cast<ElfW(Addr)>(segments) - segments[i].p_vaddr;
      if (segments[i].p_type == PT_INTERP)
        return reinterpret_cast<const char*>(base + segments[i].p_vaddr);
    }
    return "";
  }

  static bool is_own_kind(const ElfW(Ehdr) & header) {
#if defined(__x86_64__)
    constexpr int kMachine = EM_X86_64;
#elif defined(__aarch64__)
    constexpr int kMachine = EM_AARCH64;
#endif
    constexpr int kOrder = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    return header.e_ident[EI_CLASS] == (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32) &&
           header.e_ident[EI_DATA] == kOrder && header.e_machine == kMachine;
  }

  /// Whether one of the notes (elf(5)) is the build id that Go's linker writes.
  static bool is_go_note(int fd, const ElfW(Phdr) & segment) {
    constexpr unsigned kGoBuildId = 4;
    alignas(ElfW(Nhdr)) char notes[1024];
    const std::size_t size = segment.p_filesz < sizeof notes ? segment.p_filesz : sizeof notes;
    const ssize_t got = pread(fd, notes, size, static_cast<off_t>(segment.p_offset));
    const auto end = static_cast<std::size_t>(got > 0 ? got : 0);
    auto padded = [](std::size_t length) { return (length + 3) & ~std::size_t{3}; };
    for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) + 4 <= end;) {
      ElfW(Nhdr) note{};
      std::memcpy(&note, notes + at, sizeof note);
      const char* name = notes + at + sizeof note;
      if (note.n_type == kGoBuildId && note.n_namesz == 4 && std::memcmp(name, "Go\0", 4) == 0)
        return true;
      at += sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    }
    return false;
  }

  bool can_enter_elf(const char* path, int fd) {
    ElfW(Ehdr) header{};
    if (pread(fd, &header, sizeof header, 0) != sizeof header || !is_own_kind(header))
      return refuse("is made for another architecture, which libcassette.so cannot be loaded into");
    char interpreter[kLongestName] = "";
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      ElfW(Phdr) segment{};
      const auto at = static_cast<off_t>(header.e_phoff + std::size_t{i} * header.e_phentsize);
      if (pread(fd, &segment, sizeof segment, at) != sizeof segment) break;
      if (segment.p_type == PT_NOTE && is_go_note(fd, segment))
        return refuse(
            "is a Go program, which connects past libc, where libcassette.so does not see it");
      if (segment.p_type != PT_INTERP) continue;
      std::size_t size = segment.p_filesz < kLongestName ? segment.p_filesz : kLongestName - 1;
      ssize_t got = pread(fd, interpreter, size, static_cast<off_t>(segment.p_offset));
      interpreter[got > 0 ? got : 0] = '\0';
    }
    const char* own = own_interpreter();
    if (interpreter[0] == '\0') {
      // The dynamic linker itself, called by name, reads LD_PRELOAD without having an interpreter.
      char link[64], real[kLongestName];
      std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      ssize_t size = readlink(link, real, sizeof real - 1);
      real[size > 0 ? size : 0] = '\0';
      if (own[0] != '\0' && std::strcmp(base_name(size > 0 ? real : path), base_name(own)) == 0)
        return true;
      // Valgrind's tools load the program themselves, and LD_PRELOAD into it.
      if (std::strstr(path, "/valgrind/") != nullptr) return true;
      return refuse("is statically linked, so that LD_PRELOAD cannot enter it");
    }
    if (own[0] != '\0' && std::strcmp(base_name(interpreter), base_name(own)) != 0)
      return refuse("uses another C library (%s), which cannot load libcassette.so", interpreter);
    return true;
  }

  /// The conditions under which the kernel sets AT_SECURE.
  bool can_enter_with_privileges(const char* path) {
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return true;
    struct statvfs file_system {};
    struct stat status {};
    if (statvfs(path, &file_system) == 0 && (file_system.f_flag & ST_NOSUID) != 0) return true;
    if (stat(path, &status) != 0) return true;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
      return refuse("is set-user-ID, %s", kIgnored);
    // Without S_IXGRP the bit means something else (mandatory locking).
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getgid())
      return refuse("is set-group-ID, %s", kIgnored);
    // The superuser gains nothing by them.
    if (getuid() != 0 && getxattr(path, "security.capability", nullptr, 0) > 0)
      return refuse("has file capabilities, %s", kIgnored);
    return true;
  }

  bool can_enter_script(const char* interpreter, int depth) {
    if (can_enter(interpreter, depth + 1)) return true;
    // A script of a script has named its interpreter already.
    if (std::strncmp(reason_, "is a script", 11) == 0) return false;
    char why[2 * kLongestName];
    std::snprintf(why, sizeof why, "%s", reason_);
    return refuse("is a script of %s, which %s", interpreter, why);
  }

  /// The files that must be enterable for a script whose first line, behind `#!`, is this.
  bool can_enter_script_of(char* line, int depth) {
    char* rest = nullptr;
    const char* interpreter = strtok_r(line, " \t", &rest);
    if (interpreter == nullptr) return true;
    if (!can_enter_script(interpreter, depth)) return false;
    if (std::strcmp(base_name(interpreter), "env") != 0) return true;
    while (const char* word = strtok_r(nullptr, " \t", &rest)) {
      // Options (-S) and settings (NAME=value) stand before the program.
      if (word[0] == '-' || std::strchr(word, '=') != nullptr) continue;
      char found[kLongestName];
      return search_program(word, search_path_, found, sizeof found) != 0 ||
             can_enter_script(found, depth);
    }
    return true;
  }

  const char* search_path_;
  char* reason_;
  std::size_t size_;
};

}  // namespace cassette
