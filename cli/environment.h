// The environment that a program is started with: a copy of ours, changed. Ours stays as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cassette {

class Environment {
 public:
  /// `entries` ends with a null pointer, as `environ` does.
  explicit Environment(const char* const* entries);

  /// nullptr: not set. Valid until the next change.
  const char* get(std::string_view name) const;
  void set(std::string_view name, std::string_view value);

  /// For execve(): valid until the next change.
  std::vector<char*> pointers();

 private:
  std::vector<std::string> entries_;  ///< "NAME=value"
};

/// LD_PRELOAD with `library` as its first entry, and behind it what was there but the same library.
/// The dynamic linker splits it at colons and blanks.
std::string preload_list(std::string_view before, std::string_view library);
/// False for a path that has a colon or a blank in it: LD_PRELOAD cannot say it.
bool fits_preload_list(std::string_view library);

}  // namespace cassette
