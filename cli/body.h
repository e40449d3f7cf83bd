// A recorded body as people want to see it: content codings undone where they can be.
#pragma once

#include <string>
#include <string_view>

#include "parser/headers.h"

namespace cassette {

struct ShownBody {
  std::string bytes;    ///< decoded, or as recorded where that was not possible
  std::string coding;   ///< that was undone, e.g. "gzip"; empty: none
  std::string problem;  ///< why the coding could not be undone
  bool is_text = true;
};

ShownBody shown_body(const Headers& headers, std::string_view body);

/// JSON with line breaks and two blanks a level, numbers as they were written. What is no JSON, or nested
/// more than 100 deep, comes back as it was.
std::string indented_json(const std::string& text);

}  // namespace cassette
