// See files.h. Plain system calls: a stream would hide which step failed, and why.
#include "store/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>

#include "store/file_size_signal.h"
#include "store/inherited_files.h"
#include "store/session/descriptor.h"

namespace cassette {
namespace {

/// What the readers of YAML and JSON can count. A file of holes may claim any size.
constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 32;

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  for (;;) {
    int number = ::open(path, flags | O_CLOEXEC, mode);
    if (number >= 0 || errno != EINTR) return number;
  }
}

bool write_all(int descriptor, std::string_view bytes) {
  WithoutFileSizeSignal guard;
  while (!bytes.empty()) {
    ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EFBIG) guard.came();
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool sync_retrying(int descriptor) {
  while (::fsync(descriptor) != 0) {
    if (errno == EINTR) continue;
    // Some file systems cannot sync (a directory, a FUSE file); there is nothing better to do then.
    return errno == EINVAL || errno == EROFS || errno == ENOTSUP;
  }
  return true;
}

/// What the temporaries for one target begin with. Hidden, so that the directory form does not take
/// them for interactions. Short, whatever the name.
std::string temporary_prefix(std::string_view target) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a: of the same name the same, for ever
  for (char c : target) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  char name[48];
  std::snprintf(name, sizeof name, ".cassette-%016llx-", static_cast<unsigned long long>(hash));
  return name;
}

std::string temporary_name(const std::string& prefix) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    random =
        static_cast<std::uint64_t>(now.tv_nsec) * 1000003u ^ static_cast<std::uint64_t>(::getpid());
  }
  char name[48];
  std::snprintf(name, sizeof name, "%016llx.tmp", static_cast<unsigned long long>(random));
  return prefix + name;
}

}  // namespace

Error file_error(std::string_view what, const std::string& path, int error_number) {
  // Not strerror(): another thread may be in it.
  char buffer[128];
  const char* reason = ::strerror_r(error_number, buffer, sizeof buffer);
  return Error{"cannot " + std::string(what) + " " + path + ": " + reason};
}

std::string directory_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> follow_links(std::string path) {
  constexpr int kMostLinks = 40;  // the kernel's own limit
  for (int i = 0; i < kMostLinks; ++i) {
    char target[PATH_MAX];
    ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    if (length < 0) return path;  // no link, or nothing there
    std::string to(target, static_cast<std::size_t>(length));
    path = to.starts_with('/') ? to : directory_of(path) + "/" + to;
  }
  return file_error("write", path, ELOOP);
}

Result<std::string> read_file(const std::string& path) try {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Descriptor file(open_retrying(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (!file) file = inherit_instead(path, errno);
  if (!file) return file_error("read", path, errno);
  struct stat status;
  if (::fstat(file.get(), &status) != 0) return file_error("read", path, errno);
  if (S_ISDIR(status.st_mode)) return file_error("read", path, EISDIR);
  if (!S_ISREG(status.st_mode)) return Error{"cannot read " + path + ": it is not a regular file"};

  if (const auto size = static_cast<std::uint64_t>(status.st_size); size > kLargestFile) {
    return Error{"cannot read " + path + ": it has " + std::to_string(size) +
                 " bytes, and no more than " + std::to_string(kLargestFile) + " are read"};
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t have = 0;
  for (;;) {
    // One byte more than expected is asked for: a file that grows, or of a size the system does not tell.
    if (have == bytes.size()) bytes.resize(have + std::max<std::size_t>(have / 2, 512));
    // Not read(2): it may be open elsewhere, too (store/inherited_files.h).
    ssize_t n =
        ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (n < 0) {
      if (errno == EINTR) continue;
      return file_error("read", path, errno);
    }
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
} catch (const std::exception&) {
  return Error{"cannot read " + path + ": there is no memory for it"};
}

FileBatch::FileBatch(std::string directory, std::string_view target)
    : directory_(std::move(directory)), prefix_(temporary_prefix(target)) {}

FileBatch::~FileBatch() {
  for (const Pending& pending : pending_) ::unlink(pending.temporary.c_str());
}

Result<void> FileBatch::add(const std::string& name, std::string_view bytes) {
  std::string path = directory_ + "/" + name;
  struct stat old;
  bool exists = ::stat(path.c_str(), &old) == 0;
  if (!exists && errno != ENOENT) return file_error("write", path, errno);
  if (exists) {
    if (S_ISDIR(old.st_mode)) return file_error("write", path, EISDIR);
    if (!S_ISREG(old.st_mode)) return Error{"cannot write " + path + ": it is not a regular file"};
    // rename() would not mind the protection.
    if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
      return file_error("write", path, errno);
    }
  }

  std::string temporary;
  int number = -1;
  do {
    temporary = directory_ + "/" + temporary_name(prefix_);
    number = open_retrying(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  } while (number < 0 && errno == EEXIST);
  if (number < 0) return file_error("write", path, errno);
  Descriptor file(number);
  pending_.push_back({std::move(temporary), path});

  if (exists) {
    // The owner first: changing it may clear bits of the mode. Only a privileged process may, and
    // nobody else needs to.
    if ((old.st_uid != ::geteuid() || old.st_gid != ::getegid()) &&
        ::fchown(file.get(), old.st_uid, old.st_gid) != 0 && errno != EPERM) {
      return file_error("write", path, errno);
    }
    if (::fchmod(file.get(), old.st_mode & 07777) != 0) return file_error("write", path, errno);
  }
  if (!write_all(file.get(), bytes)) return file_error("write", path, errno);
  // A disk can take 50 ms for each: beyond a few, one for the whole file system is quicker.
  constexpr std::size_t kFew = 8;
  if (pending_.size() > kFew) {
    all_synced_ = false;
  } else if (!sync_retrying(file.get())) {
    return file_error("write", path, errno);
  }
  return {};
}

Result<void> FileBatch::commit() {
  if (!all_synced_) {
    Descriptor directory(open_retrying(directory_.c_str(), O_RDONLY | O_DIRECTORY));
    if (!directory || ::syncfs(directory.get()) != 0) {
      return file_error("write into", directory_, errno);
    }
  }
  for (Pending& pending : pending_) {
    if (::rename(pending.temporary.c_str(), pending.target.c_str()) != 0) {
      return file_error("write", pending.target, errno);
    }
  }
  pending_.clear();
  return sync_directory(directory_);
}

Result<void> write_file_atomically(const std::string& path, std::string_view bytes) {
  auto target = follow_links(path);
  if (!target) return target.error();
  const std::string name = target->substr(target->rfind('/') + 1);
  FileBatch batch(directory_of(*target), name);
  if (auto added = batch.add(name, bytes); !added) return added;
  return batch.commit();
}

void remove_temporaries(const std::string& path) {
  auto target = follow_links(path);
  if (!target) return;
  while (target->size() > 1 && target->ends_with('/')) target->pop_back();
  const std::string name = target->substr(target->rfind('/') + 1);
  auto sweep = [](const std::string& directory, const std::string& prefix) {
    std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
    if (!opened) return;
    while (const dirent* entry = ::readdir(opened.get())) {
      std::string_view found = entry->d_name;
      if (found.starts_with(prefix) && found.ends_with(".tmp")) {
        ::unlink((directory + "/" + entry->d_name).c_str());
      }
    }
  };
  sweep(directory_of(*target), temporary_prefix(name));
  sweep(*target, temporary_prefix(kWholeDirectory));
}

Result<void> make_directories(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    return file_error("make the directory", path, ENOTDIR);
  }
  if (errno != ENOENT) return file_error("make the directory", path, errno);
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  std::string parent = directory_of(trimmed);
  if (parent != trimmed) {
    if (auto made = make_directories(parent); !made) return made;
  }
  // Another process may be doing the same.
  if (::mkdir(trimmed.c_str(), 0777) != 0 && errno != EEXIST) {
    return file_error("make the directory", path, errno);
  }
  return sync_directory(parent);
}

Result<void> sync_directory(const std::string& path) {
  Descriptor directory(open_retrying(path.c_str(), O_RDONLY | O_DIRECTORY));
  // A directory that may be written but not read cannot be opened; its names are on their way anyhow.
  if (!directory) {
    if (errno == EACCES) return {};
    return file_error("sync the directory", path, errno);
  }
  if (!sync_retrying(directory.get())) return file_error("sync the directory", path, errno);
  return {};
}

}  // namespace cassette
