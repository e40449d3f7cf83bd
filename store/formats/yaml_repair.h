// Puts right what yaml-cpp 0.7 gets wrong in scalars. Used by yaml_reader.cc alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cassette {

/// The escapes \N and \_ give a lone byte 0x85 or 0xA0 instead of the character.
void repair_escapes(std::string& scalar);

/// Of several line ends before the closing quote, yaml-cpp keeps one (it chomps quoted scalars as if they
/// were blocks), and PyYAML writes texts that end in an empty line just so. Of those that `>+` keeps it
/// loses one. Counts them in the document itself: `position` is where the scalar, with its tag and
/// anchor, begins in `document`.
void repair_line_ends(std::string_view document, std::size_t position, std::string& scalar);

}  // namespace cassette
