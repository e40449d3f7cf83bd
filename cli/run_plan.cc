// The settings and the environment of a run. See run_plan.h.
#include "cli/run_plan.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "cli/paths.h"
#include "store/cassette.h"
#include "store/session/session.h"
#include "store/settings/cassette_list.h"
#include "store/settings/client_certificates.h"
#include "store/settings/tree.h"

namespace cassette {
namespace {

constexpr char kLibraryName[] = "libcassette.so";

/// The parts of CASSETTE_TREE (store/settings/tree.h).
struct Tree {
  std::string value;
  std::string program;
  std::string directory;
};

std::optional<Tree> parse_tree(const std::string& value) {
  const std::size_t first = value.find(':');
  if (first == std::string::npos) return std::nullopt;
  const std::size_t second = value.find(':', first + 1);
  if (second == std::string::npos) return std::nullopt;
  std::string program = value.substr(first + 1, second - first - 1);
  program.resize(std::min(program.find('@'), program.size()));
  return Tree{value, std::move(program), value.substr(second + 1)};
}

/// The tree that this process was started in, when its root lives and is another process. (With libcassette.so
/// preloaded into `cassette` itself there may be a tree of its own: the command's is wanted then.)
std::optional<Tree> outer_tree(const Environment& environment, const Settings& settings) {
  const char* value = environment.get(kTreeVariable);
  std::optional<Tree> tree = value != nullptr ? parse_tree(value) : std::nullopt;
  if (!tree) return std::nullopt;
  Settings of_tree = settings;
  of_tree.session.clear();
  of_tree.session_scope = SessionScope::kTree;
  Result<SessionIdentity> identity = session_identity(of_tree, tree->value);
  if (!identity || identity->kind != SessionIdentity::Kind::kTree) return std::nullopt;
  if (identity->root_is_gone() || identity->root_is_this_process()) return std::nullopt;
  return tree;
}

Result<Tree> new_tree(const Arguments& command, const std::string& runtime_directory) {
  std::vector<const char*> argv;
  for (const std::string& argument : command) argv.push_back(argument.c_str());
  std::string value(PATH_MAX + 256, '\0');
  if (!make_tree(static_cast<int>(argv.size()), argv.data(), runtime_directory.c_str(),
                 value.data(), value.size())) {
    return Error{"the working directory cannot be known, or its path is too long"};
  }
  value.resize(std::strlen(value.c_str()));
  std::optional<Tree> tree = parse_tree(value);
  if (!tree) return Error{"the process tree cannot be named: " + value};
  return *tree;
}

/// As the user gave it where that says where it is: relative to the working directory, nothing to fill in.
std::string shown_path(const Settings& settings, const std::string& path, const std::string& base,
                       const std::string& working_directory) {
  const bool as_given = settings.cassette.find('{') == std::string::npos &&
                        (settings.cassette.front() == '/' || base == working_directory);
  return as_given ? settings.cassette : shortest_path(path, working_directory);
}

/// What the program's processes must see as we see it, wherever they go and whatever they unset.
void export_settings(RunPlan& plan) {
  Environment& environment = plan.environment;
  environment.set(kTreeVariable, plan.tree);
  environment.set("CASSETTE_STATE_DIR", plan.settings.state_dir);
  environment.set("CASSETTE_RUNTIME_DIR", plan.settings.runtime_dir);
  // A `{` in the working directory's own name could not be told from one to be filled in: such a path stays
  // as it was given, relative to the tree's directory.
  std::vector<std::string> cassettes{plan.cassette};
  cassettes.insert(cassettes.end(), plan.fallbacks.begin(), plan.fallbacks.end());
  const std::string list = join_cassettes(cassettes);
  if (list.find('{') == std::string::npos) environment.set("CASSETTE", list);
  if (!plan.settings.config_file.empty())
    environment.set("CASSETTE_CONFIG", plan.settings.config_file);
  for (const char* file :
       {"CASSETTE_TLS_CA_FILE", "CASSETTE_TLS_CLIENT_CERT", "CASSETTE_TLS_CLIENT_KEY"}) {
    const char* path = environment.get(file);
    if (path != nullptr && *path != '\0')
      environment.set(file, absolute_path(path, plan.working_directory));
  }
  if (const char* log = environment.get("CASSETTE_LOG");
      log != nullptr && !plan.settings.log_file.empty()) {
    const std::string level(log, std::strcspn(log, ":"));
    environment.set("CASSETTE_LOG", level + ":" + plan.settings.log_file);
  }
}

}  // namespace

// An old cassette with mode `once` needs nobody's key.
bool may_record(const RunPlan& plan) {
  const RecordMode mode = plan.settings.mode;
  if (mode == RecordMode::kOnce) return !cassette_exists(plan.cassette);
  return mode != RecordMode::kNone && mode != RecordMode::kOff;
}

Result<RunPlan> plan_run(const RunOptions& options, Environment environment,
                         const std::string& library, const std::string& working_directory) {
  for (const RunOptions::Flag& flag : options.flags)
    environment.set(flag.setting->environment, flag.value);
  auto get = [&environment](const char* name) { return environment.get(name); };
  Result<Settings> settings = load_settings(get, working_directory);
  if (!settings) return settings.error();

  RunPlan plan{std::move(*settings), std::move(environment), "", "", "", working_directory, {}};
  if (plan.settings.mode == RecordMode::kOff) {
    // Also said aloud, for a libcassette.so that is preloaded already.
    plan.environment.set("CASSETTE_MODE", name_of(RecordMode::kOff));
    return plan;
  }
  std::optional<Tree> tree;
  if (!options.gives("CASSETTE_SESSION")) tree = outer_tree(plan.environment, plan.settings);
  const bool nested = tree.has_value();
  if (!nested) {
    Result<Tree> made = new_tree(options.command, plan.settings.runtime_dir);
    if (!made) return made.error();
    tree = std::move(*made);
  }
  plan.tree = tree->value;

  // A relative cassette is relative to where it was said: here, or where the outer tree began.
  std::string base = plan.settings.cassette_base;
  if (base.empty())
    base = nested && !options.gives("CASSETTE") ? tree->directory : working_directory;
  plan.settings.cassette_base = base;
  Result<std::string> path = cassette_path(plan.settings, tree->program, working_directory);
  if (!path) return path.error();
  plan.cassette = std::move(*path);
  auto fallbacks = fallback_paths(plan.settings, tree->program, working_directory);
  if (!fallbacks) return fallbacks.error();
  plan.fallbacks = std::move(*fallbacks);
  if (may_record(plan)) {
    if (auto checked = check_client_certificates(plan.settings); !checked) return checked.error();
  }
  plan.shown = shown_path(plan.settings, plan.cassette, base, working_directory);
  export_settings(plan);

  const char* before = plan.environment.get("LD_PRELOAD");
  plan.environment.set("LD_PRELOAD", preload_list(before != nullptr ? before : "", library));
  return plan;
}

Result<std::string> find_library() {
  std::string self(PATH_MAX, '\0');
  const ssize_t length = readlink("/proc/self/exe", self.data(), self.size());
  if (length <= 0) return Error{"cannot find out where cassette itself is: /proc is not there"};
  self.resize(static_cast<std::size_t>(length));
  const std::string directory = self.substr(0, self.rfind('/'));
  const std::string beside = directory + "/" + kLibraryName;
  const std::string installed = absolute_path(std::string("../lib/") + kLibraryName, directory);
  for (const std::string& path : {beside, installed}) {
    if (access(path.c_str(), R_OK) != 0) continue;
    if (fits_preload_list(path)) return path;
    return Error{path + " cannot be preloaded: LD_PRELOAD has no way to write a colon or a blank"};
  }
  return Error{std::string(kLibraryName) + " is missing; looked for " + beside + " and " +
               installed};
}

}  // namespace cassette
