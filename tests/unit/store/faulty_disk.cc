// See faulty_disk.h.
#include "tests/unit/store/faulty_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <utility>

namespace cassette {

namespace {

FaultyDisk* the_disk;

bool changes(DiskOperation::Kind kind) {
  return kind != DiskOperation::Kind::kOpen && kind != DiskOperation::Kind::kRead;
}

}  // namespace

FaultyDisk::FaultyDisk(std::string directory)
    : directory_(std::move(directory)), before_(std::exchange(the_disk, this)) {}
FaultyDisk::~FaultyDisk() { the_disk = before_; }
FaultyDisk* FaultyDisk::here() { return the_disk; }

void FaultyDisk::plan(Fault fault, std::size_t at, int error) {
  fault_ = fault;
  at_ = at;
  error_ = error;
}

bool FaultyDisk::watches(const std::string& path) const {
  return path == directory_ || path.rfind(directory_ + "/", 0) == 0;
}

const std::string* FaultyDisk::path_of(int fd) const {
  auto found = open_.find(fd);
  return found == open_.end() ? nullptr : &found->second;
}

int FaultyDisk::begin(DiskOperation operation, std::size_t* size) {
  const std::size_t number = operations_.size();
  const Kind kind = operation.kind;
  const bool now = fault_ != Fault::kNone && number == at_;
  int problem = 0;
  if (now && fault_ == Fault::kDeath) _exit(kDied);
  if (now && fault_ == Fault::kHalfDeath) {
    if (kind != Kind::kWrite) _exit(kDied);
    half_ = true;  // and dies with the next
    *size /= 2;
  } else if (half_) {
    _exit(kDied);
  }
  if (now && fault_ == Fault::kShortWrite && kind == Kind::kWrite) *size /= 2;
  if (now && fault_ == Fault::kError) problem = error_;
  const bool frees = kind == Kind::kUnlink && error_ != EROFS;
  if (fault_ == Fault::kErrorsOn && number >= at_ && changes(kind) && !frees) problem = error_;
  if (size != nullptr && kind == Kind::kWrite) operation.bytes.resize(*size);
  operations_.push_back(std::move(operation));
  return problem;
}

}  // namespace cassette

using cassette::DiskOperation;
using cassette::FaultyDisk;
using Kind = cassette::DiskOperation::Kind;

namespace {

/// Notes an operation on a path or an open file; true: it fails, errno is set.
bool fails(const DiskOperation& operation) {
  FaultyDisk* disk = FaultyDisk::here();
  if (disk == nullptr || !disk->watches(operation.path)) return false;
  const int problem = disk->begin(operation);
  if (problem != 0) errno = problem;
  return problem != 0;
}
bool fails(Kind kind, int fd) {
  FaultyDisk* disk = FaultyDisk::here();
  const std::string* path = disk != nullptr ? disk->path_of(fd) : nullptr;
  return path != nullptr && fails({kind, *path, {}, {}, 0});
}
bool is_watched(int fd) {
  return FaultyDisk::here() != nullptr && FaultyDisk::here()->path_of(fd) != nullptr;
}

}  // namespace

extern "C" {

int __real_open(const char* path, int flags, ...);
int __real_close(int fd);
ssize_t __real_read(int fd, void* buffer, size_t size);
ssize_t __real_pread(int fd, void* buffer, size_t size, off_t offset);
ssize_t __real_write(int fd, const void* bytes, size_t size);
int __real_ftruncate(int fd, off_t size);
int __real_fsync(int fd);
int __real_syncfs(int fd);
int __real_rename(const char* from, const char* to);
int __real_unlink(const char* path);
int __real_mkdir(const char* path, mode_t mode);
int __real_fchmod(int fd, mode_t mode);
int __real_fchown(int fd, uid_t user, gid_t group);

int __wrap_open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  FaultyDisk* disk = FaultyDisk::here();
  const bool watched = disk != nullptr && disk->watches(path);
  if (watched) {
    const bool makes = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
    if (fails({makes ? Kind::kMake : Kind::kOpen, path, {}, {}, 0})) return -1;
  }
  const int fd = __real_open(path, flags, mode);
  if (watched && fd >= 0) disk->opened(fd, path);
  return fd;
}

int __wrap_close(int fd) {
  if (FaultyDisk::here() != nullptr) FaultyDisk::here()->closed(fd);
  return __real_close(fd);
}

ssize_t __wrap_read(int fd, void* buffer, size_t size) {
  return fails(Kind::kRead, fd) ? -1 : __real_read(fd, buffer, size);
}

ssize_t __wrap_pread(int fd, void* buffer, size_t size, off_t offset) {
  return fails(Kind::kRead, fd) ? -1 : __real_pread(fd, buffer, size, offset);
}

ssize_t __wrap_write(int fd, const void* bytes, size_t size) {
  if (!is_watched(fd)) return __real_write(fd, bytes, size);
  const bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
  const off_t offset = lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
  FaultyDisk& disk = *FaultyDisk::here();
  const int problem = disk.begin({Kind::kWrite,
                                  *disk.path_of(fd),
                                  {},
                                  std::string(static_cast<const char*>(bytes), size),
                                  offset},
                                 &size);
  if (problem != 0) {
    errno = problem;
    return -1;
  }
  return __real_write(fd, bytes, size);
}

int __wrap_ftruncate(int fd, off_t size) {
  if (!is_watched(fd)) return __real_ftruncate(fd, size);
  const std::string path = *FaultyDisk::here()->path_of(fd);
  return fails({Kind::kTruncate, path, {}, {}, size}) ? -1 : __real_ftruncate(fd, size);
}

int __wrap_fsync(int fd) {
  if (FaultyDisk::here() == nullptr) return __real_fsync(fd);
  return fails(Kind::kSync, fd) ? -1 : 0;
}

int __wrap_syncfs(int fd) {
  if (FaultyDisk::here() == nullptr) return __real_syncfs(fd);
  return fails(Kind::kSyncAll, fd) ? -1 : 0;
}

int __wrap_rename(const char* from, const char* to) {
  return fails({Kind::kRename, from, to, {}, 0}) ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char* path) {
  if (access(path, F_OK) != 0) return __real_unlink(path);  // changes nothing
  return fails({Kind::kUnlink, path, {}, {}, 0}) ? -1 : __real_unlink(path);
}

int __wrap_mkdir(const char* path, mode_t mode) {
  return fails({Kind::kMakeDirectory, path, {}, {}, 0}) ? -1 : __real_mkdir(path, mode);
}

int __wrap_fchmod(int fd, mode_t mode) {
  return fails(Kind::kChange, fd) ? -1 : __real_fchmod(fd, mode);
}

int __wrap_fchown(int fd, uid_t user, gid_t group) {
  return fails(Kind::kChange, fd) ? -1 : __real_fchown(fd, user, group);
}

}  // extern "C"
