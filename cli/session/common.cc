// What the subcommands have in common. See common.h.
#include "cli/session/common.h"

#include <cstdlib>

#include "cli/paths.h"
#include "cli/text.h"
#include "store/log.h"

namespace cassette {

int give(const Answer& answer) {
  if (!answer.complaint.empty()) complain(answer.complaint);
  if (!answer.output.empty() && !print(answer.output)) return kFailed;
  return answer.status;
}

Answer failed(const Error& error) { return {kFailed, "", error.message}; }

Answer no_such_session(const std::string& id) {
  return {kNoSuchSession, "",
          "there is no session \"" + on_one_line(id) +
              "\"; `cassette session list` shows those that there are"};
}

std::string counted(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

Result<Surroundings> look_around(const Overrides& overrides) {
  Result<std::string> directory = working_directory();
  if (!directory) return directory.error();
  auto get = [&overrides](const char* name) -> const char* {
    for (const auto& [variable, value] : overrides) {
      if (variable == name) return value.c_str();
    }
    return std::getenv(name);
  };
  Result<Settings> settings = load_settings(get, *directory);
  if (!settings) return settings.error();
  configure_log(settings->log_level, settings->log_file);
  return Surroundings{std::move(*settings), std::move(*directory)};
}

}  // namespace cassette
