// Any files as a directory cassette: an error or interactions, never a crash; and saving what was read
// keeps every file as it is. The input is files, one behind the other: a line with the name, then
// lines up to one with a single dot.
#include "store/formats/directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "store/files.h"
#include "tests/fuzz/input.h"

using cassette::fuzzing::must;

namespace {

/// In memory: a disk would be what is measured.
const std::string& folder() {
  static const struct Folder {
    std::string path = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    Folder() {
      path += "/cassette-fuzz-XXXXXX";
      must(mkdtemp(path.data()) != nullptr, "a folder can be made");
    }
    ~Folder() { rmdir(path.c_str()); }
  } made;
  return made.path;
}

bool put(const std::string& name, std::string_view bytes) {
  const std::string path = folder() + "/" + name;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  must(write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "a write");
  close(file);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = cassette::fuzzing::text_of(data, size);
  std::map<std::string, std::string> files;
  while (!rest.empty() && files.size() < 8) {
    const std::string name(cassette::fuzzing::take_until(rest, '\n'));
    std::string bytes;
    while (!rest.empty()) {
      const std::string_view line = cassette::fuzzing::take_until(rest, '\n');
      if (line == ".") break;
      bytes.append(line).append("\n");
    }
    const bool usable = !name.empty() && name.size() < 200 && name != "." && name != ".." &&
                        name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    if (usable && put(name, bytes)) files[name] = bytes;
  }

  auto read = cassette::load_directory(folder());
  if (read) {
    auto saved = cassette::save_directory(folder(), *read);
    must(saved.ok(), "what was read can be saved");
    for (cassette::Interaction& interaction : *read) {
      must(!cassette::interaction_file_name(interaction).starts_with('.'), "no file is hidden");
      interaction.file.clear();
    }
  }
  for (const auto& [name, bytes] : files) {
    auto now = cassette::read_file(folder() + "/" + name);
    must(now.ok() && *now == bytes, "a file is as it was");
    unlink((folder() + "/" + name).c_str());
  }
  must(std::filesystem::is_empty(folder()), "nothing was left behind");
  return 0;
}
