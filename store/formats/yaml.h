// Interactions as native YAML (a superset of vcrpy's version 1) and back. Knows no file.
//
// The writer promises: the same interactions give the same bytes; each line of a text body is a line
// of the file, so that a review shows what changed; every string reads back byte for byte, through
// this reader and through PyYAML's. Fields of equal name are put together (a YAML key cannot repeat).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"
#include "store/interaction.h"

namespace cassette {

std::string interactions_to_yaml(const std::vector<Interaction>& interactions);
/// `name_for_errors` begins every error ("name:line: reason").
Result<std::vector<Interaction>> interactions_from_yaml(std::string_view text,
                                                        const std::string& name_for_errors);

/// A file of a directory cassette: one interaction, or a whole cassette that holds exactly one.
Result<Interaction> interaction_from_yaml(std::string_view text,
                                          const std::string& name_for_errors);

}  // namespace cassette
