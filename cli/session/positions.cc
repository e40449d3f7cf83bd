// `cassette session rewind` and `advance`: moves the playback positions of a session.
#include "cli/paths.h"
#include "cli/session/answers.h"
#include "cli/session/common.h"
#include "cli/session/requests.h"
#include "cli/session/subcommands.h"
#include "store/session/control.h"

namespace cassette {

int rewind_subcommand(const Arguments& arguments) {
  const Parsed<PositionRequest> parsed = parse_rewind(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<PositionRequest>(parsed);

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  std::optional<std::string> cassette;
  if (request.cassette) cassette = absolute_path(*request.cassette, here->working_directory);
  const auto rewound = rewind_session(here->settings, request.id, cassette.value_or(""));
  return give(answer_of(rewound, request.id, [&](std::size_t count) {
    return rewind_answer(request.id, cassette, count, request.json);
  }));
}

int advance_subcommand(const Arguments& arguments) {
  const Parsed<PositionRequest> parsed = parse_advance(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<PositionRequest>(parsed);

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  const std::string cassette =
      absolute_path(request.cassette.value_or(""), here->working_directory);
  const auto advanced = advance_session(here->settings, request.id, cassette);
  return give(answer_of(advanced, request.id, [&](const Advanced& step) {
    return advance_answer(request.id, cassette, step, request.json);
  }));
}

}  // namespace cassette
