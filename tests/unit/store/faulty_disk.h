// A disk on which operations go wrong. The unit tests are linked so that the system calls of the store
// come by here (-Wl,--wrap in the Makefile); the product knows nothing of it. What is done to files below
// one directory is counted and noted; one operation of it, or all from one on, can fail, and the process
// can die in the middle of one. Everything else passes.
//
// Syncing is noted and not done: what would survive a power cut is worked out from the notes
// (power_cut_test.cc). The one made last counts. For one thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace cassette {

struct DiskOperation {
  enum class Kind {
    kOpen,  ///< of what is there
    kMake,  ///< `path` did not exist
    kRead,
    kWrite,     ///< `bytes` at `offset`
    kTruncate,  ///< to `offset` bytes
    kSync,      ///< a file, or the names in a directory
    kSyncAll,
    kRename,  ///< to `target`
    kUnlink,
    kMakeDirectory,
    kChange,  ///< of mode or owner
  };
  Kind kind;
  std::string path;
  std::string target;
  std::string bytes;
  off_t offset = 0;
};

class FaultyDisk {
 public:
  using Kind = DiskOperation::Kind;
  enum class Fault {
    kNone,
    kError,       ///< the operation fails with `error`
    kErrorsOn,    ///< it, and every later one that changes something: a disk that is full
    kShortWrite,  ///< a write takes half of the bytes; other operations are done
    kDeath,       ///< the process ends before it
    kHalfDeath,   ///< of a write half is done, then the process ends
  };
  static constexpr int kDied = 77;  ///< exit status of the process that died

  explicit FaultyDisk(std::string directory);
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// At the operation of that number, from 0.
  void plan(Fault fault, std::size_t at, int error = 0);
  const std::vector<DiskOperation>& operations() const { return operations_; }

  // For the functions that stand in for the system's.
  static FaultyDisk* here();
  bool watches(const std::string& path) const;
  void opened(int fd, const std::string& path) { open_[fd] = path; }
  void closed(int fd) { open_.erase(fd); }
  /// The path, or nullptr: not on this disk.
  const std::string* path_of(int fd) const;
  /// Notes it. 0: it is to be done; else the errno. May end the process; `*size`: how much to write.
  int begin(DiskOperation operation, std::size_t* size = nullptr);

 private:
  std::string directory_;
  FaultyDisk* before_;
  std::map<int, std::string> open_;
  std::vector<DiskOperation> operations_;
  Fault fault_ = Fault::kNone;
  std::size_t at_ = 0;
  int error_ = 0;
  bool half_ = false;
};

}  // namespace cassette
