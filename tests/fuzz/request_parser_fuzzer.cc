// Requests out of arbitrary bytes: nothing may crash, and a split of the input must not matter.
// The first two bytes say where to split and how small the limits are; the rest is the input.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/unit/parser/transcript.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t split = input.empty() ? 0 : data[0] * input.size() / 255;
  cassette::ParseLimits limits;
  if (data[1] < 128) limits = {.head = data[1], .body = data[1]};

  using cassette::testing::request_transcript;
  const auto whole = request_transcript({input}, limits);
  if (whole != request_transcript({input.substr(0, split), input.substr(split)}, limits)) abort();
  return 0;
}
