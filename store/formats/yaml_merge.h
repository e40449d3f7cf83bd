// YAML's merge keys (https://yaml.org/type/merge.html): `<<: *defaults`, `<<: [*a, *b]`, `<<: {a: 1}`, as PyYAML and
// Psych read them. Used by yaml_reader.cc alone.
#pragma once

#include "store/formats/tree.h"

namespace cassette {

/// Puts what a map merges in its place: a key of the map's own wins; of the maps in a list the first; of several `<<`
/// the last. 0, or the line of a `<<` that stands before something else than a map or a list of maps. Nothing is copied.
int merge_keys(DocumentNode& map);

}  // namespace cassette
