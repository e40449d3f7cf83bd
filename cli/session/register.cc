// `cassette session register`, `unregister` and `purge`: sessions that begin and end by hand.
#include "cli/session/answers.h"
#include "cli/session/common.h"
#include "cli/session/requests.h"
#include "cli/session/subcommands.h"
#include "cli/text.h"
#include "store/session/control.h"

namespace cassette {
namespace {

Answer unregister(const Settings& settings, const SessionRequest& request) {
  const auto session = find_session(settings, request.id);
  return answer_of(session, request.id, [&](const SessionState& state) -> Answer {
    // A slip of the pen must not take the session from a running test.
    if (state.kind != SessionIdentity::Kind::kNamed) {
      return failed(Error{"the session \"" + on_one_line(request.id) +
                          "\" was not registered: it ends with its processes; "
                          "`cassette session purge` removes it at once"});
    }
    const Result<bool> ended = end_session_now(settings, request.id);
    if (!ended) return failed(ended.error());
    return *ended ? unregister_answer(request.id, request.json) : no_such_session(request.id);
  });
}

Answer purge_one(const Settings& settings, const std::string& id, bool json) {
  const Result<bool> ended = end_session_now(settings, id);
  if (!ended) return failed(ended.error());
  return *ended ? purge_answer({id}, {}, json) : no_such_session(id);
}

Answer purge_all(const Settings& settings, bool json) {
  const Result<std::vector<SessionState>> sessions = list_sessions(settings);
  if (!sessions) return failed(sessions.error());
  std::vector<std::string> removed;
  std::vector<std::string> problems;
  for (const SessionState& session : *sessions) {
    const Result<bool> ended = end_session_now(settings, session.id);
    if (!ended) {
      // The others are removed all the same.
      problems.push_back(ended.error().message);
    } else if (*ended) {  // else it ended by itself meanwhile
      removed.push_back(session.id);
    }
  }
  return purge_answer(removed, problems, json);
}

}  // namespace

int register_subcommand(const Arguments& arguments) {
  const Parsed<RegisterRequest> parsed = parse_register(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<RegisterRequest>(parsed);

  const Result<Surroundings> here = look_around(request.overrides);
  if (!here) return give(failed(here.error()));
  const Result<Registered> registered = register_session(here->settings, request.id);
  return give(registered ? register_answer(*registered, request.json) : failed(registered.error()));
}

int unregister_subcommand(const Arguments& arguments) {
  const Parsed<SessionRequest> parsed = parse_unregister(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  return give(unregister(here->settings, std::get<SessionRequest>(parsed)));
}

int purge_subcommand(const Arguments& arguments) {
  const Parsed<PurgeRequest> parsed = parse_purge(arguments);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& request = std::get<PurgeRequest>(parsed);

  const Result<Surroundings> here = look_around();
  if (!here) return give(failed(here.error()));
  return give(request.id ? purge_one(here->settings, *request.id, request.json)
                         : purge_all(here->settings, request.json));
}

}  // namespace cassette
