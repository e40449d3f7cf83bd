// One string as a YAML scalar that reads back byte for byte. Used by yaml.cc alone.
//
// yaml-cpp's emitter is not used: it knows no chomping indicator (`|-`, `|+`), so that a literal block
// of its own gains or loses line ends, and it cannot write `!!binary |`.
#pragma once

#include <string>
#include <string_view>

namespace cassette {

enum class ScalarPlace { kAfterKey, kAfterDash };  ///< after "key: ", or after "- " or "? "

/// Appends the scalar, without a line end behind it. It begins where the cursor is; `indent` is where
/// lines that follow begin: two columns right of the parent.
///
///   - no UTF-8: `!!binary |` and base64; after a dash, where yaml-cpp 0.7 cannot read a tagged block
///     (see yaml_reader.cc), `!!binary "..."` on one line
///   - several lines: a literal block; where that cannot hold it (CR, white space at a line end, which
///     editors strip, control characters): double quotes, each of its lines on a line, ending in `\n\`
///   - one line: plain, else single quotes, else (control characters, tabs) double quotes
void append_yaml_scalar(std::string& out, std::string_view text, std::size_t indent,
                        ScalarPlace place);

/// Appends a mapping key with its colon, at `indent`, where the cursor is.
void append_yaml_key(std::string& out, std::string_view key, std::size_t indent);

}  // namespace cassette
