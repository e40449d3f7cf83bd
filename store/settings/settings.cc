// Reads the settings: environment over configuration file over default. See settings.h; what values
// are allowed is said in setting_names.h alone.
#include "store/settings/settings.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "store/files.h"
#include "store/redaction/redaction.h"
#include "store/settings/cassette_list.h"
#include "store/settings/config_file.h"
#include "store/settings/setting_names.h"

namespace cassette {
namespace {

/// A value that somebody gave, and where.
struct Given {
  const SettingName* setting = nullptr;
  std::string source;  ///< "CASSETTE_MODE", or "/p/.cassette.yaml:3: mode"
  std::string text;
  std::vector<std::pair<std::string, std::string>> pairs;
  std::string base;  ///< what a relative path is relative to
  bool from_file = false;
};

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// Lexical: what "." and ".." say is taken as said, symbolic links are not looked at.
std::string absolute(const std::string& path, const std::string& base) {
  return (std::filesystem::path(base) / path).lexically_normal().string();
}

std::vector<std::string> items_of(const std::string& list) {
  std::vector<std::string> items;
  for_each_item(list.c_str(), [&items](const char* begin, std::size_t length) {
    items.emplace_back(begin, length);
    return true;
  });
  return items;
}

/// The list with `name` in it or not, however it is marked there.
void set_name(std::vector<std::string>& names, const std::string& name, bool there) {
  std::erase_if(names, [&name](const std::string& old) {
    return old == name || (old.front() == kOrdinaryWord && old.substr(1) == name);
  });
  if (there) names.push_back(name);
}

/// `defaults` with the change that `list` says: names are added, `-name` takes one away, `=` at the beginning all of them, and
/// so does a list without a name.
std::vector<std::string> names_of(const std::string& list, std::vector<std::string> names) {
  const std::string change = lower(list);
  const char* items = replacing_list(change.c_str());
  if (items != nullptr || items_of(change).empty()) names.clear();
  for (const std::string& item : items_of(items != nullptr ? items : change)) {
    const bool removes = item.front() == '-';
    set_name(names, item.substr(removes ? 1 : 0), !removes);
  }
  // Processes of a session that say the same in another order have the same settings.
  std::sort(names.begin(), names.end());
  return names;
}

HostList hosts_of(const std::string& list) {
  HostList hosts;
  for (const std::string& item : items_of(list)) hosts.add(parse_host_pattern(item));
  return hosts;
}

/// Which of the setting's words it is; the enumerations have the same order.
template <typename Enumeration>
Enumeration word_of(const SettingName& setting, std::string_view word) {
  int index = 0;
  std::string_view words = setting.words;
  while (words.substr(0, words.find(' ')) != word) {
    words.remove_prefix(words.find(' ') + 1);
    ++index;
  }
  return static_cast<Enumeration>(index);
}

std::string_view word_at(const char* environment, int index) {
  std::string_view words = find_setting(environment)->words;
  for (; index > 0; --index) words.remove_prefix(words.find(' ') + 1);
  return words.substr(0, words.find(' '));
}

bool flag_of(const std::string& text) { return flag_is_on(text.c_str()); }

template <typename Number>
Number number_of(std::string_view text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::chrono::milliseconds duration_of(const std::string& text) {
  auto number = number_of<std::int64_t>(text);
  const std::string unit = text.substr(std::min(text.find_first_not_of("0123456789"), text.size()));
  if (unit == "ms") return std::chrono::milliseconds(number);
  if (unit == "m") return std::chrono::minutes(number);
  if (unit == "h") return std::chrono::hours(number);
  return std::chrono::seconds(number);
}

MatchOn match_on_of(const std::string& list) {
  MatchOn on;
  on.method = on.scheme = on.host = on.port = on.path = on.query = false;
  for (const std::string& item : items_of(list)) {
    if (item == "method") on.method = true;
    if (item == "scheme") on.scheme = true;
    if (item == "host") on.host = true;
    if (item == "port") on.port = true;
    if (item == "path") on.path = true;
    if (item == "query") on.query = true;
    if (item == "uri") on.uri = true;
    if (item == "body") on.body = true;
    if (item == "headers") on.headers = true;
    if (item.rfind("header:", 0) == 0) on.header_names.push_back(lower(item.substr(7)));
  }
  std::sort(on.header_names.begin(), on.header_names.end());
  on.header_names.erase(std::unique(on.header_names.begin(), on.header_names.end()),
                        on.header_names.end());
  return on;
}

std::map<std::string, std::string> context_of(const Given& given) {
  std::map<std::string, std::string> context(given.pairs.begin(), given.pairs.end());
  for (const std::string& item : items_of(given.text)) {
    std::size_t equals = item.find('=');
    context[item.substr(0, equals)] = item.substr(equals + 1);
  }
  return context;
}

void apply_log(Settings& settings, const Given& given) {
  std::size_t colon = given.text.find(':');
  settings.log_level =
      word_of<LogLevel>(*given.setting, std::string_view(given.text).substr(0, colon));
  if (colon != std::string::npos)
    settings.log_file = absolute(given.text.substr(colon + 1), given.base);
}

void apply_cassette(Settings& settings, const Given& given) {
  std::vector<std::string> paths = split_cassettes(given.text);
  // A name may have a comma: what is there under the whole name is meant.
  if (paths.size() > 1 && ::access(absolute(given.text, given.base).c_str(), F_OK) == 0) {
    paths = {given.text};
  }
  settings.cassette = paths.empty() ? std::string() : paths.front();
  settings.fallbacks.assign(paths.begin() + (paths.empty() ? 0 : 1), paths.end());
  settings.cassette_base = given.from_file ? given.base : std::string();
}

/// The files that a setting names, each with its host; none: any host.
std::vector<std::pair<std::string, std::string>> files_of(const Given& given) {
  std::vector<std::pair<std::string, std::string>> files;
  if (given.pairs.empty()) files.emplace_back("", absolute(given.text, given.base));
  for (const auto& [host, file] : given.pairs) files.emplace_back(host, absolute(file, given.base));
  return files;
}

void apply_client_certificates(Settings& settings, const Given& given) {
  for (const auto& [host, file] : files_of(given)) {
    ClientCertificate each;
    if (!host.empty()) each.hosts.add(parse_host_pattern(host));
    each.certificate_file = each.key_file = file;
    each.certificate_source = each.key_source = given.source;
    settings.tls_client_certificates.push_back(std::move(each));
  }
}

/// Gives the certificates their keys: a key for any host to all, one for a host to the certificate of that host. What is left over
/// stays without a certificate, which check_client_keys() finds.
void apply_client_keys(Settings& settings, const Given& given) {
  std::vector<ClientCertificate>& all = settings.tls_client_certificates;
  // The file's keys are those of its own certificates.
  if (given.from_file && !all.empty() &&
      all.front().certificate_source == "CASSETTE_TLS_CLIENT_CERT") {
    return;
  }
  for (const auto& [host, file] : files_of(given)) {
    HostList hosts;
    if (!host.empty()) hosts.add(parse_host_pattern(host));
    bool fits = false;
    for (ClientCertificate& each : all) {
      if (!hosts.empty() && each.hosts != hosts) continue;
      each.key_file = file;
      each.key_source = given.source;
      fits = true;
    }
    if (!fits) all.push_back({std::move(hosts), "", file, "", given.source});
  }
}

/// A key alone is a mistake: nothing would be shown.
std::optional<Error> check_client_keys(const Settings& settings) {
  for (const ClientCertificate& each : settings.tls_client_certificates) {
    if (!each.certificate_file.empty()) continue;
    return Error{each.key_source + ": a key without a certificate" +
                 (each.hosts.empty() ? "" : " for the same host") + ": " + each.key_file +
                 "; tls-client-cert names that"};
  }
  return std::nullopt;
}

/// One row a setting, so that a test can see that none is without effect.
struct Applier {
  std::string_view environment;
  void (*apply)(Settings&, const Given&);
};

constexpr Applier kAppliers[] = {
    {"CASSETTE", apply_cassette},
    {"CASSETTE_MODE",
     [](Settings& s, const Given& g) { s.mode = word_of<RecordMode>(*g.setting, g.text); }},
    {"CASSETTE_MATCH_ON", [](Settings& s, const Given& g) { s.match_on = match_on_of(g.text); }},
    {"CASSETTE_ORDER",
     [](Settings& s, const Given& g) { s.order = word_of<Order>(*g.setting, g.text); }},
    {"CASSETTE_ALLOW_PLAYBACK_REPEATS",
     [](Settings& s, const Given& g) { s.allow_playback_repeats = flag_of(g.text); }},
    {"CASSETTE_ON_MISS",
     [](Settings& s, const Given& g) { s.on_miss = word_of<OnMiss>(*g.setting, g.text); }},
    {"CASSETTE_DISCARD_ON_FAILURE",
     [](Settings& s, const Given& g) { s.discard_on_failure = flag_of(g.text); }},
    {"CASSETTE_NO_RECORD_STATUS",
     [](Settings& s, const Given& g) {
       for (const std::string& item : items_of(g.text)) s.no_record_status.add(item);
     }},
    {"CASSETTE_SESSION", [](Settings& s, const Given& g) { s.session = g.text; }},
    {"CASSETTE_SESSION_SCOPE",
     [](Settings& s, const Given& g) {
       s.session_scope = word_of<SessionScope>(*g.setting, g.text);
     }},
    {"CASSETTE_SESSION_TTL",
     [](Settings& s, const Given& g) { s.session_ttl = duration_of(g.text); }},
    {"CASSETTE_MAX_SESSIONS",
     [](Settings& s, const Given& g) { s.max_sessions = number_of<unsigned>(g.text); }},
    {"CASSETTE_IGNORE_HOSTS",
     [](Settings& s, const Given& g) { s.ignore_hosts = hosts_of(g.text); }},
    {"CASSETTE_ONLY_HOSTS", [](Settings& s, const Given& g) { s.only_hosts = hosts_of(g.text); }},
    {"CASSETTE_FILTER_HEADERS",
     [](Settings& s, const Given& g) {
       s.filter_headers = names_of(g.text, default_filter_headers());
     }},
    {"CASSETTE_FILTER_QUERY",
     [](Settings& s, const Given& g) {
       s.filter_query = names_of(g.text, default_filter_query());
     }},
    {"CASSETTE_FILTER_BODY",
     [](Settings& s, const Given& g) { s.filter_body = names_of(g.text, default_filter_body()); }},
    {"CASSETTE_CONTEXT", [](Settings& s, const Given& g) { s.context = context_of(g); }},
    {"CASSETTE_REPLAY_SPEED",
     [](Settings& s, const Given& g) { s.replay_speed = number_of<double>(g.text); }},
    {"CASSETTE_TLS_CA_FILE",
     [](Settings& s, const Given& g) { s.tls_ca_file = absolute(g.text, g.base); }},
    {"CASSETTE_TLS_INSECURE_HOSTS",
     [](Settings& s, const Given& g) { s.tls_insecure_hosts = hosts_of(g.text); }},
    {"CASSETTE_TLS_PASSTHROUGH",
     [](Settings& s, const Given& g) { s.tls_passthrough = hosts_of(g.text); }},
    {"CASSETTE_TLS_CLIENT_CERT", apply_client_certificates},
    {"CASSETTE_TLS_CLIENT_KEY", apply_client_keys},
    {"CASSETTE_LOG", apply_log},
    {"CASSETTE_STATE_DIR",
     [](Settings& s, const Given& g) { s.state_dir = absolute(g.text, g.base); }},
    {"CASSETTE_RUNTIME_DIR",
     [](Settings& s, const Given& g) { s.runtime_dir = absolute(g.text, g.base); }},
};

/// An empty value is an empty list, or counts as not set.
bool counts(const Given& given) {
  return !given.text.empty() || !given.pairs.empty() || changes_defaults(given.setting->kind) ||
         given.setting->kind == SettingKind::kHosts ||
         given.setting->kind == SettingKind::kStatuses;
}

std::optional<Error> check(const Given& given) {
  std::string value = given.text;
  bool ok = setting_value_ok(*given.setting, value.c_str());
  for (const auto& [key, text] : given.pairs) {
    if (!ok) break;
    value = key + "=" + text;
    if (given.setting->kind == SettingKind::kHostPath) {
      ok = setting_names_detail::is_host(key.c_str(), key.size()) && !text.empty();
      continue;
    }
    // Of a map's pair only the key can be wrong: commas do not end a value here.
    ok =
        setting_value_ok(*given.setting, (key + "=").c_str()) && key.find(',') == std::string::npos;
  }
  if (ok) return std::nullopt;
  std::string message(given.source.size() + 1024, '\0');
  setting_error(message.data(), message.size(), given.source.c_str(), *given.setting,
                value.c_str());
  message.resize(std::strlen(message.c_str()));
  return Error{message};
}

/// Continuous integration must not reach out by accident. `CI=false` and `CI=0` are how people say
/// "not here".
bool is_ci(const GetEnvironment& get_environment) {
  const char* ci = get_environment("CI");
  if (ci == nullptr || *ci == '\0') return false;
  const std::string value = lower(ci);
  return value != "0" && value != "false";
}

std::string default_state_dir(const GetEnvironment& get_environment) {
  // The base directory specification ignores values that are not absolute.
  auto directory = [&](const char* name) -> std::string {
    const char* value = get_environment(name);
    return value != nullptr && value[0] == '/' ? value : "";
  };
  if (std::string xdg = directory("XDG_STATE_HOME"); !xdg.empty()) return absolute("cassette", xdg);
  if (std::string home = directory("HOME"); !home.empty())
    return absolute(".local/state/cassette", home);
  return "/tmp/cassette-" + std::to_string(geteuid());
}

Settings defaults(const GetEnvironment& get_environment) {
  Settings settings;
  settings.mode = is_ci(get_environment) ? RecordMode::kNone : RecordMode::kOnce;
  settings.filter_headers = default_filter_headers();
  settings.filter_query = default_filter_query();
  settings.filter_body = default_filter_body();
  settings.state_dir = default_state_dir(get_environment);
  settings.runtime_dir = "/dev/shm/cassette-" + std::to_string(geteuid());
  return settings;
}

}  // namespace

std::string_view name_of(RecordMode mode) {
  return word_at("CASSETTE_MODE", static_cast<int>(mode));
}
std::string_view name_of(Order order) { return word_at("CASSETTE_ORDER", static_cast<int>(order)); }

void StatusList::add(std::string_view item) {
  std::size_t first = 0, count = 1;
  if (item[1] == 'x' || item[1] == 'X') {
    first = static_cast<std::size_t>(item[0] - '0') * 100;
    count = 100;
  } else {
    first = number_of<std::size_t>(item);
  }
  for (std::size_t code = first; code < first + count; ++code) codes_.set(code);
}

std::string MatchOn::text() const {
  std::string text;
  auto add = [&text](bool on, std::string_view word) {
    if (!on) return;
    if (!text.empty()) text += ',';
    text += word;
  };
  add(method, "method");
  add(scheme, "scheme");
  add(host, "host");
  add(port, "port");
  add(path, "path");
  add(query, "query");
  add(uri, "uri");
  add(body, "body");
  add(headers, "headers");
  for (const std::string& name : header_names) add(true, "header:" + name);
  return text;
}

Result<Settings> load_settings(const GetEnvironment& get_environment,
                               const std::string& working_directory) {
  Settings settings = defaults(get_environment);

  const char* explicit_file = get_environment("CASSETTE_CONFIG");
  const bool is_explicit = explicit_file != nullptr && *explicit_file != '\0';
  settings.config_file = is_explicit ? absolute(explicit_file, working_directory)
                                     : find_config_file(working_directory);
  std::vector<ConfigEntry> entries;
  if (!settings.config_file.empty()) {
    auto read = read_config_file(settings.config_file);
    if (!read && is_explicit) return Error{"CASSETTE_CONFIG: " + read.error().message};
    if (!read) return read.error();
    entries = std::move(*read);
  }

  for (const SettingName& setting : kSettings) {
    std::vector<Given> candidates;
    if (const char* value = get_environment(setting.environment)) {
      candidates.push_back({&setting, setting.environment, value, {}, working_directory, false});
    }
    for (ConfigEntry& entry : entries) {
      if (entry.setting != &setting) continue;
      candidates.push_back(
          {&setting, settings.config_file + ":" + std::to_string(entry.line) + ": " + setting.key,
           std::move(entry.text), std::move(entry.pairs), directory_of(settings.config_file),
           true});
    }
    const auto applier = std::find_if(
        std::begin(kAppliers), std::end(kAppliers),
        [&setting](const Applier& row) { return row.environment == setting.environment; });
    bool applied = false;
    for (const Given& given : candidates) {
      // A bad value in the file is an error even where the environment overrides it.
      if (auto error = check(given)) return *error;
      if (applied || !counts(given) || applier == std::end(kAppliers)) continue;
      applier->apply(settings, given);
      applied = true;
    }
  }
  if (auto error = check_client_keys(settings)) return *error;
  return settings;
}

Result<std::string> cassette_path(const Settings& settings, std::string_view program,
                                  const std::string& working_directory) {
  const std::string& text = settings.cassette;
  std::string path;
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t open = text.find('{', position);
    const std::size_t close = open == std::string::npos ? open : text.find('}', open);
    if (close == std::string::npos) break;
    path.append(text, position, open - position);
    const std::string key = text.substr(open + 1, close - open - 1);
    std::string value;
    if (auto found = settings.context.find(key); found != settings.context.end()) {
      value = found->second;
    } else if (key == "program") {
      value = program;
    } else {
      std::string known = "{program}";
      for (const auto& entry : settings.context) known += ", {" + entry.first + "}";
      return Error{"CASSETTE: nothing fills {" + key + "} in \"" + text + "\"; allowed: " + known +
                   " (CASSETTE_CONTEXT adds more)"};
    }
    // Neither a slash nor "..": a value stays one name in the directory that the path says.
    std::replace(value.begin(), value.end(), '/', '_');
    if (!value.empty() && value.front() == '.') value.front() = '_';
    path += value;
    position = close + 1;
  }
  path.append(text, position, std::string::npos);
  return absolute(path,
                  settings.cassette_base.empty() ? working_directory : settings.cassette_base);
}

Result<std::vector<std::string>> fallback_paths(const Settings& settings, std::string_view program,
                                                const std::string& working_directory) {
  std::vector<std::string> paths;
  if (settings.fallbacks.empty()) return paths;
  auto first = cassette_path(settings, program, working_directory);
  if (!first) return first.error();
  Settings other = settings;
  for (const std::string& text : settings.fallbacks) {
    other.cassette = text;
    auto path = cassette_path(other, program, working_directory);
    if (!path) return path.error();
    if (*path != *first && std::find(paths.begin(), paths.end(), *path) == paths.end()) {
      paths.push_back(std::move(*path));
    }
  }
  return paths;
}

}  // namespace cassette
