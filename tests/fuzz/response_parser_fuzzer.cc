// Responses out of arbitrary bytes: nothing may crash, and a split of the input must not matter.
// The first three bytes say where to split, how small the limits are and what request is answered;
// the rest is the input.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/unit/parser/transcript.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::size_t split = input.empty() ? 0 : data[0] * input.size() / 255;
  cassette::ParseLimits limits;
  if (data[1] < 128) limits = {.head = data[1], .body = data[1]};
  static const char* const kMethods[] = {"GET", "HEAD", "CONNECT", "POST"};
  const char* method = kMethods[data[2] % 4];

  using cassette::testing::response_transcript;
  const auto whole = response_transcript({input}, method, limits);
  if (whole != response_transcript({input.substr(0, split), input.substr(split)}, method, limits)) {
    abort();
  }
  return 0;
}
