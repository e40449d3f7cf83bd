// Brings a body into a form in which two that mean the same are the same bytes: for matching only,
// never for what is recorded or replayed.
#pragma once

#include <string>
#include <string_view>

namespace cassette {

/// JSON: keys sorted (of equal ones the last counts), no blanks, numbers by value. Forms: fields
/// decoded and sorted. Multipart: one boundary for all. What is not what its type says, and all
/// else: the bytes.
std::string canonical_body(std::string_view content_type, std::string_view body);

}  // namespace cassette
