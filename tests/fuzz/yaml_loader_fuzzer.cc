// Any bytes as a YAML cassette: an error or interactions, never a crash; and what was read is written
// so that it reads back the same.
#include "store/formats/yaml.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using cassette::fuzzing::must;
  auto read = cassette::interactions_from_yaml(cassette::fuzzing::text_of(data, size), "in.yaml");
  if (!read) return 0;
  const std::string written = cassette::interactions_to_yaml(*read);
  auto again = cassette::interactions_from_yaml(written, "written.yaml");
  must(again.ok(), "what was written can be read");
  must(cassette::interactions_to_yaml(*again) == written, "what was read is written the same");
  return 0;
}
