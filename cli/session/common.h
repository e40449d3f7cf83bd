// What the subcommands of `cassette session` have in common: settings, and how what the store found
// becomes output, a complaint and an exit status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "parser/result.h"
#include "store/settings/settings.h"

namespace cassette {

/// What a subcommand has to say, and how it ends.
struct Answer {
  int status = kOk;
  std::string output;     ///< for stdout
  std::string complaint;  ///< for stderr, behind "cassette: "; empty: nothing
};

/// Says it. The status to exit with: kFailed when stdout cannot be written.
int give(const Answer& answer);

Answer failed(const Error& error);
Answer no_such_session(const std::string& id);

/// For what the store found: an error, that there is no such session, or what `say` makes of it.
template <typename Found, typename Say>
Answer answer_of(const Result<std::optional<Found>>& result, const std::string& id, Say say) {
  if (!result) return failed(result.error());
  if (!*result) return no_such_session(id);
  return say(**result);
}

/// "1 session", "2 sessions".
std::string counted(std::uint64_t count, const std::string& what);

/// Where a subcommand is called.
struct Surroundings {
  Settings settings;
  std::string working_directory;
};
/// Variables and their values.
using Overrides = std::vector<std::pair<std::string, std::string>>;
/// The settings of environment and configuration file; `overrides` beat both.
/// Sets up the log.
Result<Surroundings> look_around(const Overrides& overrides = {});

}  // namespace cassette
