// Any bytes as a JSON cassette: an error or interactions, never a crash; and what was read is written
// so that it reads back the same.
#include "store/formats/json.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using cassette::fuzzing::must;
  auto read = cassette::interactions_from_json(cassette::fuzzing::text_of(data, size), "in.json");
  if (!read) return 0;
  const std::string written = cassette::interactions_to_json(*read);
  auto again = cassette::interactions_from_json(written, "written.json");
  must(again.ok(), "what was written can be read");
  must(cassette::interactions_to_json(*again) == written, "what was read is written the same");
  return 0;
}
