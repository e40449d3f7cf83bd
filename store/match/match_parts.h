// What match.cc (are they the same?) and match_differences.cc (in what do they differ?) share, so
// that the two never disagree.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/match/match.h"

namespace cassette {

/// The request's body without its coding, without its secrets, in its canonical form. Without a
/// redactor its secrets are in it.
std::string comparable_body(const Redactor* redactor, const RequestView& request);

/// All fields of that name as one value (RFC 9110 section 5.3), without secrets, and without the
/// boundary of a multipart type. Nothing: there is none.
std::optional<std::string> comparable_header(const Redactor& redactor, const Headers& headers,
                                             std::string_view name);

/// Whether the fields of that name are the same in both, as far as `headers` compares them.
bool same_header(const Redactor& redactor, const Headers& recorded, const Headers& incoming,
                 std::string_view name);

}  // namespace cassette
