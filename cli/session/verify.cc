// `cassette session verify`: were these requests made, and how often? Reads only.
#include "cli/session/common.h"
#include "cli/session/subcommands.h"
#include "cli/session/verify_answer.h"
#include "cli/session/verify_request.h"

namespace cassette {

int verify_subcommand(const Arguments& arguments) {
  const Parsed<VerifyRequest> parsed = parse_verify(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<VerifyRequest>(parsed);

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  const auto history = session_history(here->settings, request.id);
  // Behind the history: a cassette that is asked for between the two is known then.
  const auto session = find_session(here->settings, request.id);
  return give(answer_of(history, request.id, [&](const History::Contents& contents) {
    return answer_of(session, request.id, [&](const SessionState& state) -> Answer {
      const Result<Criteria> criteria = resolve(request, state, here->working_directory);
      if (!criteria) return failed(criteria.error());
      return verify_answer(request, *criteria, contents, state, here->working_directory);
    });
  }));
}

}  // namespace cassette
