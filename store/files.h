// Whole files in and out. A write is atomic: after a crash at any instant the path holds either the
// old bytes or the new ones. Knows nothing of cassettes. Errors name the path and the system's reason.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"

namespace cassette {

/// The bytes of a regular file (a symbolic link is followed). Anything else, a FIFO or a device, is an
/// error, never a hang.
Result<std::string> read_file(const std::string& path);

/// Temporary file with an unpredictable name in the same directory, fsync, rename, fsync of the
/// directory. A symbolic link is followed, not replaced; an existing file keeps its permissions (and
/// its owner, where the process may), a new one gets 0666 less the umask. A file that is write-protected
/// for this process is an error, as it is for any other writer. On an error the old file is as it was,
/// and the temporary is gone.
Result<void> write_file_atomically(const std::string& path, std::string_view bytes);

/// The target of a FileBatch that writes a directory cassette.
inline constexpr std::string_view kWholeDirectory = "/";

/// Several files of one directory, each as above, that become visible together or not at all while
/// nothing fails: the cost of the disk is paid once, not once a file. What was not committed leaves no
/// trace, unless the process dies: see remove_temporaries().
class FileBatch {
 public:
  /// `target` is what the temporaries are for: it is in their names.
  explicit FileBatch(std::string directory, std::string_view target = kWholeDirectory);
  ~FileBatch();
  FileBatch(const FileBatch&) = delete;
  FileBatch& operator=(const FileBatch&) = delete;

  /// Writes the bytes under a temporary name. `name` is relative to the directory.
  Result<void> add(const std::string& name, std::string_view bytes);
  /// Makes all durable, then gives them their names. On an error some may have theirs already.
  Result<void> commit();

 private:
  struct Pending {
    std::string temporary;
    std::string target;
  };
  std::string directory_;
  std::string prefix_;
  std::vector<Pending> pending_;
  bool all_synced_ = true;
};

/// Removes what a dead process left of writing this file, or the files of this directory. Only for one
/// who knows that nobody else writes there now (who holds the cassette's lock).
void remove_temporaries(const std::string& path);

/// Where a chain of symbolic links ends, whether something is there or not.
Result<std::string> follow_links(std::string path);

/// The directory and the missing ones above it, 0777 less the umask. No error when it is there.
Result<void> make_directories(const std::string& path);

/// Makes the names in a directory durable.
Result<void> sync_directory(const std::string& path);

/// "/a/b.yaml" -> "/a", "b.yaml" -> ".", "/b.yaml" -> "/".
std::string directory_of(const std::string& path);

/// "cannot <what> <path>: <the reason of errno>".
Error file_error(std::string_view what, const std::string& path, int error_number);

}  // namespace cassette
