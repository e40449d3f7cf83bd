// Any bytes as a JSON cassette: an error or interactions, never a crash; and what was read is written
// so that it reads back the same.
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. -isystem deps/fetched/include \
//     tests/fuzz/json_loader_fuzzer.cc store/formats/*.cc store/files.cc store/uri.cc parser/headers.cc \
//     deps/fetched/lib/libyaml-cpp.a deps/fetched/lib/libsimdjson.a -o build/json_loader_fuzzer
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto read = cassette::interactions_from_json(text, "input.json");
  if (!read) return 0;
  std::string written = cassette::interactions_to_json(*read);
  auto again = cassette::interactions_from_json(written, "written.json");
  if (!again || cassette::interactions_to_json(*again) != written) std::abort();
  return 0;
}
