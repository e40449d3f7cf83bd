// Any bytes as a configuration file: an error that begins with the file, or entries, never a crash.
#include "store/settings/config_file.h"

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using cassette::fuzzing::must;
  auto read = cassette::parse_config_file(cassette::fuzzing::text_of(data, size), "in.yaml");
  if (!read) {
    must(read.error().message.starts_with("in.yaml"), "an error says where");
    return 0;
  }
  for (const cassette::ConfigEntry& entry : *read) {
    must(entry.setting != nullptr && entry.line > 0, "an entry has a setting and a line");
    must(entry.text.find('\0') == std::string::npos, "a value has no zero byte");
  }
  return 0;
}
