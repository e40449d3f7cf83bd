// `cassette session history`: every request that a session handled. Reads only.
#include "cli/session/common.h"
#include "cli/session/history_output.h"
#include "cli/session/requests.h"
#include "cli/session/subcommands.h"

namespace cassette {

int history_subcommand(const Arguments& arguments) {
  const Parsed<SessionRequest> parsed = parse_history(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<SessionRequest>(parsed);

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  const Result<std::optional<History::Contents>> history =
      session_history(here->settings, request.id);
  // Behind the history: a cassette that is asked for between the two is known then.
  const Result<std::optional<SessionState>> session = find_session(here->settings, request.id);
  return give(answer_of(history, request.id, [&](const History::Contents& contents) {
    return answer_of(session, request.id, [&](const SessionState& state) {
      return history_answer(contents, state, here->working_directory, request.json);
    });
  }));
}

}  // namespace cassette
