// Header fields that are no UTF-8, as text: each byte of the name and of the values as the character of the same number
// (ISO 8859-1). So Python's http.client reads a field, and so vcrpy keeps it; `!!binary`, or a map, would break vcrpy. The
// cassette names the fields that are written so, because the text alone does not tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parser/headers.h"

namespace cassette {

struct HeadersAsText {
  Headers headers;  ///< UTF-8, all of them
  std::vector<std::string>
      coded;  ///< names, as they are in `headers`, of the fields that are not as they were sent
};

/// Nothing when all of it is UTF-8.
std::optional<HeadersAsText> latin_1_text_of(const Headers& headers);

/// The reverse, where these fields are so coded. What somebody has put other characters into since stays as it is.
void restore_latin_1(Headers& headers, const std::vector<std::string>& coded);

}  // namespace cassette
