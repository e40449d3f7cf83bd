// Interactions as native JSON (FORMATS: vcrpy's structure, `base64_string` for bytes that are no text)
// and back. Knows no file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"
#include "store/interaction.h"

namespace cassette {

/// One interaction, as the journal and the directory form keep it. `pretty`: indented by 4 with a
/// final newline; else one line without one. `id` and `file` are not written.
std::string interaction_to_json(const Interaction& interaction, bool pretty);

/// Reads what interaction_to_json() wrote, and also a whole cassette that holds exactly one
/// interaction. `name_for_errors` begins every error ("name:line: reason"). `id` and `file` stay empty.
Result<Interaction> interaction_from_json(std::string_view text,
                                          const std::string& name_for_errors);

/// A whole cassette, indented by 4: `version`, then `interactions`.
std::string interactions_to_json(const std::vector<Interaction>& interactions);
Result<std::vector<Interaction>> interactions_from_json(std::string_view text,
                                                        const std::string& name_for_errors);

}  // namespace cassette
