// The command lines of the subcommands. See requests.h.
#include "cli/session/requests.h"

#include "cli/arguments.h"

namespace cassette {
namespace {

constexpr char kFooter[] =
    "Exit status: 0 done, 2 an error, 7 there is no such session.\n";  // of most of them
constexpr char kIdHelp[] = "The session, as `cassette session list` prints it.";
constexpr char kObjectHelp[] = "Prints an object instead of text.";

constexpr char kRegisterDescription[] =
    "Takes a place in the pool of named sessions, and prints the id. Without ID a new one is made up, which\n"
    "was never given before. An ID that is registered already is renewed: its time to live begins anew.\n"
    "`cassette run --session ID` and CASSETTE_SESSION=ID then use the session.\n";
constexpr char kRegisterFooter[] =
    "Exit status: 0 registered, 2 an error, 5 it was registered already (the id is printed all the same),\n"
    "6 the pool is full.\n";

constexpr char kUnregisterDescription[] =
    "Ends a named session: merges what it recorded into the cassettes, and frees its place. Processes that\n"
    "are still in it miss every further request.\n";

constexpr char kListDescription[] =
    "Prints one line for each session: id, kind (named, tree, process), whether a process is in it, when it\n"
    "was made, in how many seconds an idle named one expires, and how many cassettes it has open.\n";

constexpr char kShowDescription[] =
    "Prints all about a session, and for each of its cassettes what was done with it and the interaction\n"
    "that comes next: the first one that has not been played.\n";

constexpr char kHistoryDescription[] =
    "Prints one line for each request that the session handled, oldest first: time, pid, thread, program,\n"
    "method, URI, status, what happened (which interaction of the cassette answered, or why none did), and\n"
    "how long it took. The history is bounded: stderr says when the oldest requests were dropped from it.\n";

constexpr char kRewindDescription[] =
    "Takes a session back to the beginning of CASSETTE, or of all its cassettes: what was played may be\n"
    "played again.\n";

constexpr char kAdvanceDescription[] =
    "Skips the interaction of CASSETTE whose turn it is, the first one that has not been played: it counts\n"
    "as used up, not as replayed. Opens the cassette when nobody has yet.\n";

constexpr char kPurgeDescription[] =
    "Removes a session, or all of them, of any kind and at once, whoever is in them; what they recorded is\n"
    "merged into the cassettes first. Processes that are still in one miss every further request. Prints\n"
    "how many were removed.\n";

/// A subcommand's command line, with the flags and arguments that several of them have.
class Line {
 public:
  Line(const std::string& usage, const char* description, const char* footer = kFooter)
      : line_(usage, description, footer) {}

  CLI::App& app() { return line_.app(); }
  CLI::Option* argument(const char* name, std::string& value, const char* help) {
    return app().add_option(name, value, help)->type_name("");
  }
  void json(bool& value, const char* help = kObjectHelp) { app().add_flag("--json", value, help); }

  /// As CommandLine::parse(). The arguments `checked` must not be empty where they are given.
  std::optional<int> parse(const Arguments& arguments,
                           const std::vector<CLI::Option*>& checked = {}) {
    if (auto status = line_.parse(arguments, kFailed)) return status;
    for (const CLI::Option* option : checked) {
      if (option->count() > 0 && !is_given(option->get_name(true), option->results().back()))
        return kFailed;
    }
    return std::nullopt;
  }

 private:
  CommandLine line_;
};

Parsed<SessionRequest> parse_session(const Arguments& arguments, const std::string& name,
                                     const char* description) {
  Line line("session " + name + " [flags] ID", description);
  SessionRequest request;
  CLI::Option* id = line.argument("ID", request.id, kIdHelp)->required();
  line.json(request.json);
  if (auto status = line.parse(arguments, {id})) return *status;
  return request;
}

/// A flag that is a setting of the table under another name.
struct SettingFlag {
  const char* flag;
  const char* environment;
  std::string value = {};
  CLI::Option* option = nullptr;
};

}  // namespace

bool is_given(const std::string& what, const std::string& value) {
  if (!value.empty()) return true;
  complain(what + " must not be empty");
  return false;
}

Parsed<RegisterRequest> parse_register(const Arguments& arguments) {
  Line line("session register [flags] [ID]", kRegisterDescription, kRegisterFooter);
  RegisterRequest request;
  CLI::Option* id =
      line.argument("ID", request.id, "The name of the session (default: a new one).");
  SettingFlag flags[] = {{"--ttl", "CASSETTE_SESSION_TTL"},
                         {"--max-sessions", "CASSETTE_MAX_SESSIONS"}};
  for (SettingFlag& flag : flags) {
    const SettingName& setting = *find_setting(flag.environment);
    const std::string help = std::string(setting.help) + " [" + setting.environment + "]";
    flag.option =
        line.app().add_option(flag.flag, flag.value, help)->type_name(setting.placeholder);
  }
  line.json(request.json);
  if (auto status = line.parse(arguments, {id})) return *status;
  for (const SettingFlag& flag : flags) {
    if (flag.option->count() == 0) continue;
    if (auto problem = value_problem(flag.flag, *find_setting(flag.environment), flag.value)) {
      complain(*problem);
      return kFailed;
    }
    request.overrides.emplace_back(flag.environment, flag.value);
  }
  return request;
}

Parsed<ListRequest> parse_list(const Arguments& arguments) {
  Line line("session list [flags]", kListDescription, "Exit status: 0 done, 2 an error.\n");
  ListRequest request;
  line.json(request.json, "Prints an array of objects.");
  if (auto status = line.parse(arguments)) return *status;
  return request;
}

Parsed<SessionRequest> parse_unregister(const Arguments& arguments) {
  return parse_session(arguments, "unregister", kUnregisterDescription);
}

Parsed<SessionRequest> parse_show(const Arguments& arguments) {
  return parse_session(arguments, "show", kShowDescription);
}

Parsed<SessionRequest> parse_history(const Arguments& arguments) {
  return parse_session(arguments, "history", kHistoryDescription);
}

Parsed<PositionRequest> parse_rewind(const Arguments& arguments) {
  Line line("session rewind [flags] ID [CASSETTE]", kRewindDescription);
  PositionRequest request;
  std::string path;
  CLI::Option* id = line.argument("ID", request.id, kIdHelp)->required();
  CLI::Option* cassette =
      line.argument("CASSETTE", path, "A cassette of the session (default: all).");
  line.json(request.json);
  if (auto status = line.parse(arguments, {id, cassette})) return *status;
  if (cassette->count() > 0) request.cassette = path;
  return request;
}

Parsed<PositionRequest> parse_advance(const Arguments& arguments) {
  Line line("session advance [flags] ID CASSETTE", kAdvanceDescription);
  PositionRequest request;
  std::string path;
  CLI::Option* id = line.argument("ID", request.id, kIdHelp)->required();
  CLI::Option* cassette =
      line.argument("CASSETTE", path, "The cassette: a file or a directory.")->required();
  line.json(request.json);
  if (auto status = line.parse(arguments, {id, cassette})) return *status;
  request.cassette = path;
  return request;
}

Parsed<PurgeRequest> parse_purge(const Arguments& arguments) {
  Line line("session purge [flags] ID|--all", kPurgeDescription);
  PurgeRequest request;
  std::string name;
  bool all = false;
  CLI::Option* id = line.argument("ID", name, kIdHelp);
  line.app().add_flag("--all", all, "Removes all sessions.");
  line.json(request.json);
  if (auto status = line.parse(arguments, {id})) return *status;
  if (all == (id->count() > 0)) {
    complain(std::string("session purge: ") +
             (all ? "ID and --all exclude each other" : "which one is missing") +
             "; allowed: the ID of one session, or --all");
    return kFailed;
  }
  if (!all) request.id = name;
  return request;
}

}  // namespace cassette
