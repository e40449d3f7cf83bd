// Finds the values in a body that redaction takes out: JSON keys at any depth, form fields, parts
// of a multipart form, JSON in server-sent events. Changes nothing itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/redaction/redaction.h"

namespace cassette {

/// body[offset, offset + length) has to become `replacement`.
struct Edit {
  std::size_t offset;
  std::size_t length;
  std::string_view replacement;  ///< of static duration
};

/// In ascending order; none overlap, and none would change nothing.
std::vector<Edit> find_body_secrets(const Redactor& redactor, std::string_view content_type,
                                    std::string_view body);

std::string apply_edits(std::string_view body, const std::vector<Edit>& edits);

/// Where the byte that was at `offset` is afterwards (behind the replacement, if it was replaced).
std::size_t offset_after_edits(std::size_t offset, const std::vector<Edit>& edits);

}  // namespace cassette
