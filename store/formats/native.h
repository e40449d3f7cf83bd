// The meaning of a native cassette (vcrpy's version 1, a superset): from a document tree, whichever
// format it came from, to interactions. Tolerates what other versions of vcrpy and what people write
// (FORMATS.md lists it); says what is wrong with the rest, with its line.
#pragma once

#include <string>
#include <vector>

#include "parser/result.h"
#include "store/formats/tree.h"
#include "store/interaction.h"

namespace cassette {

/// A whole cassette. The tree is used up: bodies are moved out of it.
Result<std::vector<Interaction>> interactions_from_tree(DocumentNode root, const std::string& name);

/// One interaction, or a whole cassette that holds exactly one.
Result<Interaction> interaction_from_tree(DocumentNode root, const std::string& name);

}  // namespace cassette
