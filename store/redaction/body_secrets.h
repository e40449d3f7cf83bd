// Finds the values in a body that redaction takes out: JSON keys at any depth, form fields, parts
// of a multipart form, JSON in server-sent events, in strings of JSON and in form fields. Changes nothing itself.
#pragma once

#include <string_view>
#include <vector>

#include "store/redaction/edit.h"
#include "store/redaction/redaction.h"

namespace cassette {

/// In ascending order; none overlap, and none would change nothing. What an edit puts there has the JSON type of
/// what was there. `taken`: counts them, and gets the texts; may be nullptr.
std::vector<Edit> find_body_secrets(const Redactor& redactor, std::string_view content_type,
                                    std::string_view body, Side side = Side::kRequest,
                                    Taken* taken = nullptr);

}  // namespace cassette
