// Text for people: what comes from a recorded conversation may be any bytes, and must neither break
// a line nor steer a terminal. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// One line of valid UTF-8: control characters and bytes that are not UTF-8 become \n, \t, \x1b, ...
std::string on_one_line(std::string_view bytes);

/// Several lines for a terminal: as on_one_line(), but line ends and tabs stay as they are.
std::string for_terminal(std::string_view bytes);

/// Valid UTF-8 without control characters other than white space.
bool is_text(std::string_view bytes);

/// Lines "00000010  68 65 6c 6c 6f ...  |hello...|" of the first `limit` bytes.
std::string hex_dump(std::string_view bytes, std::size_t limit);

/// Rows of cells as lines, each column as wide as its widest cell but not wider than `widest` (longer cells
/// push the rest of their line to the right), two blanks in between, no blanks at the end of a line.
std::string columns(const std::vector<std::vector<std::string>>& rows,
                    const std::vector<bool>& right_aligned, std::size_t widest);

}  // namespace cassette
