// `cassette session list` and `show`: which sessions there are, and what one of them is about. Changes
// nothing, but that sessions which have ended or expired are ended first.
#include <chrono>

#include "cli/session/common.h"
#include "cli/session/requests.h"
#include "cli/session/state_output.h"
#include "cli/session/subcommands.h"

namespace cassette {
namespace {

std::int64_t now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace

int list_sessions_subcommand(const Arguments& arguments) {
  const Parsed<ListRequest> parsed = parse_list(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const bool json = std::get<ListRequest>(parsed).json;

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  const Result<std::vector<SessionState>> sessions = list_sessions(here->settings);
  if (!sessions) return give(failed(sessions.error()));
  return give({kOk, json ? sessions_as_json(*sessions) : sessions_as_lines(*sessions, now()), ""});
}

int show_session_subcommand(const Arguments& arguments) {
  const Parsed<SessionRequest> parsed = parse_show(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<SessionRequest>(parsed);

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  return give(answer_of(
      find_session(here->settings, request.id), request.id, [&](const SessionState& session) {
        return Answer{kOk,
                      request.json ? session_as_json(session)
                                   : session_as_text(session, now(), here->working_directory),
                      ""};
      }));
}

}  // namespace cassette
