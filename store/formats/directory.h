// The directory form of a cassette: one interaction a file. What counts are the regular files (or
// links to such) directly inside whose names end in .json, .yaml or .yml and begin with no dot; anything
// else, a README or a subdirectory, is somebody else's and left alone. cassette.h is the door to this.
#pragma once

#include <string>
#include <vector>

#include "parser/result.h"
#include "store/interaction.h"

namespace cassette {

/// By the time they were recorded (those that do not say come first), then by name, numbers in it by
/// their value. `file` is set. A file that is no interaction is an error.
Result<std::vector<Interaction>> load_directory(const std::string& path);

/// False when nothing in it counts; true also when it cannot be read.
bool has_interaction_files(const std::string& path);

/// As save_cassette() says. A file is removed only when it does hold an interaction.
Result<void> save_directory(const std::string& path, std::vector<Interaction>& interactions);

/// METHOD_host_port_path_HASH, without extension.
std::string interaction_file_name(const Interaction& interaction);

}  // namespace cassette
