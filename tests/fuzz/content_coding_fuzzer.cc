// Bodies in a content coding out of arbitrary bytes: an error or at most as many bytes as were allowed,
// never a crash. The first line is the Content-Encoding.
#include "store/content_coding.h"

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLimit = 100'000;
  std::string_view body = cassette::fuzzing::text_of(data, size);
  const std::string_view coding = cassette::fuzzing::take_until(body, '\n');
  cassette::is_encoded(coding, body);
  auto decoded = cassette::decode_content(coding, body, kLimit);
  if (decoded && decoded->size() > body.size()) {
    cassette::fuzzing::must(decoded->size() <= kLimit, "no more than the limit");
  }
  return 0;
}
