// What `verify` was asked. See verify_request.h.
#include "cli/session/verify_request.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/paths.h"
#include "cli/text.h"
#include "store/formats/text.h"

namespace cassette {
namespace {

constexpr char kUsage[] = "session verify [flags] ID";
constexpr char kDescription[] =
    "Was it called, and how often? Counts the requests of the session's history for which everything that\n"
    "is given holds, whatever answered them; --interaction counts only what that interaction answered.\n"
    "One of --count, --min, --max is needed; --min and --max together are a range.\n"
    "When it does not hold, stderr says what was counted, and which requests come closest.\n";
constexpr char kFooter[] =
    "Exit status: 0 it holds, 1 it does not, 2 an error, or it cannot be told because the history dropped\n"
    "requests, 7 there is no such session.\n";

constexpr char kHostAllowed[] = "host, host:port, *.domain, *.domain:port or localhost";

/// Complains, and is the status to exit with.
int refuse(const std::string& message) {
  complain(message);
  return kFailed;
}

int refuse_value(const std::string& flag, const std::string& value, const std::string& allowed) {
  return refuse(flag + ": unknown value \"" + for_message(value) + "\"; allowed: " + allowed);
}

std::optional<std::uint64_t> parse_count(const std::string& text) {
  std::uint64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, count);
  if (text.empty() || problem != std::errc() || rest != end) return std::nullopt;
  return count;
}

/// The flags as they were given.
struct Flags {
  std::optional<std::string> method, host, path, interaction, cassette;
  std::optional<std::string> count, least, most;
};

/// The status to exit with, when a criterion makes no sense.
std::optional<int> check_criteria(const Flags& flags) {
  const std::pair<const char*, const std::optional<std::string>*> texts[] = {
      {"--method", &flags.method},
      {"--host", &flags.host},
      {"--path", &flags.path},
      {"--interaction", &flags.interaction},
      {"--cassette", &flags.cassette}};
  for (const auto& [flag, value] : texts) {
    if (*value && !is_given(flag, **value)) return kFailed;
  }
  if (flags.host && !setting_names_detail::is_host(flags.host->data(), flags.host->size()))
    return refuse_value("--host", *flags.host, kHostAllowed);
  // What no request can have would count as "never called", and hide a slip of the pen.
  const std::string path = flags.path.value_or("*");
  if ((path[0] != '/' && path[0] != '*') || path.find('?') != std::string::npos) {
    return refuse_value("--path", path,
                        "the whole path from its first \"/\", without the query; \"*\" stands for "
                        "any characters");
  }
  return std::nullopt;
}

/// The status to exit with, when no count can be expected by these flags.
std::optional<int> read_expected(const Flags& flags, ExpectedCount& expected) {
  const bool is_range = flags.least || flags.most;
  if (flags.count && is_range)
    return refuse("session verify: --count excludes --min and --max; allowed: one or the other");
  if (!flags.count && !is_range)
    return refuse(
        "session verify: how often is missing; allowed: --count N, or --min N, --max N or both");
  struct Number {
    const char* flag;
    const std::optional<std::string>& text;
    std::vector<std::uint64_t*> targets;
  };
  const Number numbers[] = {{"--count", flags.count, {&expected.least, &expected.most}},
                            {"--min", flags.least, {&expected.least}},
                            {"--max", flags.most, {&expected.most}}};
  for (const Number& number : numbers) {
    if (!number.text) continue;
    const std::optional<std::uint64_t> count = parse_count(*number.text);
    if (!count) return refuse_value(number.flag, *number.text, "a whole number, 0 or more");
    for (std::uint64_t* target : number.targets) *target = *count;
  }
  if (expected.least > expected.most) {
    return refuse("session verify: --min " + std::to_string(expected.least) +
                  " is more than --max " + std::to_string(expected.most) + "; nothing could hold");
  }
  return std::nullopt;
}

/// As cassettes are given: a directory with a slash behind it or without.
std::string_view without_slash(std::string_view path) {
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

std::string paths_of(const SessionState& session) {
  std::string text;
  for (const CassetteState& cassette : session.cassettes)
    text += (text.empty() ? "" : ", ") + on_one_line(cassette.counts.path);
  return text.empty() ? "it has opened none" : "it has opened " + text;
}

/// Where INDEX or ID is, in one cassette.
std::optional<std::uint32_t> find_id(const CassetteState& cassette, const std::string& name) {
  const auto found = std::find(cassette.ids.begin(), cassette.ids.end(), name);
  if (found == cassette.ids.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - cassette.ids.begin());
}
std::optional<std::uint32_t> find_index(const CassetteState& cassette, const std::string& name) {
  const std::optional<std::uint64_t> index = parse_count(name);
  if (!index || *index < 1 || *index > cassette.ids.size()) return std::nullopt;
  return static_cast<std::uint32_t>(*index - 1);
}

}  // namespace

Parsed<VerifyRequest> parse_verify(const Arguments& arguments) {
  CommandLine line(kUsage, kDescription, kFooter);
  CLI::App& app = line.app();
  VerifyRequest request;
  Flags flags;
  app.add_option("ID", request.id, "The session, as `cassette session list` prints it.")
      ->type_name("")
      ->required();
  auto option = [&app](const char* flag, std::optional<std::string>& value, const char* name,
                       const char* help) {
    // By hand: CLI11 would make an empty text of an optional nothing.
    app.add_option_function<std::string>(
           flag, [&value](const std::string& text) { value = text; }, help)
        ->type_name(name);
  };
  option("--method", flags.method, "M", "The request's method.");
  option("--host", flags.host, "H", "Its host: host, host:port, *.domain or localhost.");
  option("--path", flags.path, "P",
         "Its whole path, without the query; * stands for any characters.");
  option("--interaction", flags.interaction, "I",
         "The interaction that answered: its index or id, as `cassette list` prints them.");
  option("--cassette", flags.cassette, "PATH",
         "The cassette that was asked; with --interaction: the one that I is in.");
  option("--count", flags.count, "N", "Exactly so often.");
  option("--min", flags.least, "N", "At least so often.");
  option("--max", flags.most, "N", "At most so often.");
  app.add_flag("--json", request.json, "Prints an object instead of text, also when it fails.");
  if (auto status = line.parse(arguments, kFailed)) return *status;
  if (!is_given("ID", request.id)) return kFailed;
  if (auto status = check_criteria(flags)) return *status;
  if (auto status = read_expected(flags, request.expected)) return *status;
  request.criteria.method = flags.method;
  request.criteria.host = flags.host;
  request.criteria.path = flags.path;
  request.interaction = flags.interaction;
  request.cassette = flags.cassette;
  return request;
}

Result<Criteria> resolve(const VerifyRequest& request, const SessionState& session,
                         const std::string& working_directory) {
  Criteria criteria = request.criteria;
  const std::string name = "the session \"" + on_one_line(session.id) + "\"";
  std::vector<const CassetteState*> cassettes;
  std::string path;
  if (request.cassette) path = absolute_path(*request.cassette, working_directory);
  for (const CassetteState& cassette : session.cassettes) {
    if (path.empty() || without_slash(cassette.counts.path) == without_slash(path))
      cassettes.push_back(&cassette);
  }
  if (request.cassette) {
    if (cassettes.empty())
      return Error{"--cassette: " + name + " has not opened " + on_one_line(path) + "; " +
                   paths_of(session)};
    criteria.cassette = cassettes.front()->key;
  }
  if (!request.interaction) return criteria;

  // An id may consist of digits alone, so ids go first.
  std::vector<std::pair<const CassetteState*, std::uint32_t>> found;
  for (auto find : {find_id, find_index}) {
    if (!found.empty()) break;
    for (const CassetteState* cassette : cassettes) {
      if (auto index = find(*cassette, *request.interaction)) found.emplace_back(cassette, *index);
    }
  }
  const std::string what = "--interaction \"" + for_message(*request.interaction) + "\"";
  if (found.empty()) {
    return Error{what + ": no cassette of " + name +
                 " has it; allowed: an index from 1, or an id, as `cassette list` prints them (" +
                 paths_of(session) + ")"};
  }
  if (found.size() > 1) {
    return Error{what + ": several cassettes of " + name +
                 " have it; --cassette PATH says which (" + paths_of(session) + ")"};
  }
  criteria.cassette = found.front().first->key;
  criteria.interaction = found.front().second;
  return criteria;
}

std::string criteria_text(const VerifyRequest& request) {
  std::string text;
  auto add = [&text](const char* name, const std::optional<std::string>& value) {
    if (!value) return;
    if (!text.empty()) text += ", ";
    text.append(name).append(" ").append(on_one_line(*value));
  };
  add("method", request.criteria.method);
  add("host", request.criteria.host);
  add("path", request.criteria.path);
  add("interaction", request.interaction);
  add("cassette", request.cassette);
  return text;
}

std::string expected_text(const ExpectedCount& expected) {
  const std::string least = std::to_string(expected.least);
  const std::string most = std::to_string(expected.most);
  if (expected.least == expected.most) return "exactly " + least;
  if (expected.most == ExpectedCount().most) return "at least " + least;
  if (expected.least == 0) return "at most " + most;
  return "from " + least + " to " + most;
}

}  // namespace cassette
