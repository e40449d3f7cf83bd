// What `cassette run` has to decide before it starts a program: from flags and environment to settings, the
// process tree, the cassette's path and the program's environment. Starts nothing and joins nothing.
#pragma once

#include <string>
#include <vector>

#include "cli/environment.h"
#include "cli/run_options.h"
#include "parser/result.h"
#include "store/settings/settings.h"

namespace cassette {

struct RunPlan {
  Settings settings;
  Environment environment;  ///< for the program
  std::string tree;         ///< value of CASSETTE_TREE
  std::string cassette;     ///< absolute
  std::string shown;        ///< the same as the user gave it, for the summary
  std::string working_directory;
  std::vector<std::string> fallbacks;  ///< absolute
};

/// `environment`: the one that cassette itself was started with; `library`: the absolute path of
/// libcassette.so. The program's identity is that of `options.command`, and the root of its tree this
/// process, unless an outer tree is alive and `--session` is not given: then the run is part of it.
Result<RunPlan> plan_run(const RunOptions& options, Environment environment,
                         const std::string& library, const std::string& working_directory);

/// Whether real servers may be asked.
bool may_record(const RunPlan& plan);

/// libcassette.so beside the running binary, or in ../lib from there.
Result<std::string> find_library();

}  // namespace cassette
