// Text that is written in another way inside of a text (percent-encoded, as a JSON string, in UTF-16): decoded so that it can
// be searched, and with the place from which each byte came, so that what is found there can be replaced where it stands.
// Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/redaction/edit.h"

namespace cassette {

enum class Writing : unsigned char {
  kPercent,      ///< `%41` is A; all else, `+` too, is itself
  kForm,         ///< the same, and `+` is a blank
  kJsonString,   ///< what stands between the quotes
  kUtf16Little,  ///< behind the byte order mark
  kUtf16Big,
};

struct DecodedText {
  std::string text;
  /// One more than `text` has bytes: text[i] comes from the bytes [from[i], from[i + 1]) of what was decoded. (Of a character
  /// that becomes several bytes the first one has all.)
  std::vector<std::size_t> from;
};

/// What is wrong in it stands for itself.
DecodedText decode_text(std::string_view written, Writing writing);

/// An edit of the decoded text as one of the text it was in. `begin`: where `written` begins there.
Edit edit_as_written(const DecodedText& decoded, const Edit& edit, std::size_t begin,
                     Writing writing);

}  // namespace cassette
