// The one table of all settings of the contract: environment variable, flag, configuration key,
// what values are allowed, and the text for `--help`. Whoever reads, checks or documents a setting
// reads it from here. Needs libc alone (no std::string, no exceptions, nothing that is built at
// start-up): the thin preload library includes it to turn a bad value down before main().
#pragma once

#include <strings.h>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace cassette {

enum class SettingKind : unsigned char {
  kPath,      ///< a file or directory name
  kHostPath,  ///< the same, or in the configuration file a map from hosts to such names
  kPaths,     ///< such names with commas between them (cassette_list.h)
  kText,      ///< anything
  kWord,      ///< one of `words`
  kFlag,      ///< 1/0, true/false, yes/no, on/off (any case)
  kCount,     ///< a whole number from 1 to kMaxCount
  kDuration,  ///< 500ms, 60s, 2m, 1h, 0, or a plain number of seconds
  kSpeed,     ///< a decimal number, 0 or more
  kHeaderNames,  ///< a change of a default list of header names (see for_each_item()); empty: an empty list
  kFieldNames,   ///< the same of query parameters, JSON keys and form fields
  kHosts,        ///< host, host:port, *.domain, with commas between them; empty: an empty list
  kMatchOn,      ///< one or more of `words` or header:NAME, with commas between them
  kPairs,        ///< key=value with commas between them
  kStatuses,     ///< 100 to 599, or 1xx to 5xx, with commas between them; empty: an empty list
  kLog,          ///< one of `words`, and perhaps :FILE
  kUnsupported,  ///< in the contract, not in this version: `allowed` says what is missing
};

struct SettingName {
  const char* environment;
  const char* flag;  ///< without "--"; nullptr: has none
  char short_flag;   ///< '\0': has none
  const char* key;   ///< in the configuration file; nullptr: cannot be set there
  SettingKind kind;
  const char* placeholder;  ///< for `--help`; nullptr: the flag takes no value
  const char* words;        ///< with spaces between them; nullptr: no enumeration
  const char* allowed;      ///< what a message says is allowed
  const char* help;         ///< one sentence
};

inline constexpr unsigned kMaxCount = 65535;

inline constexpr char kHostsAllowed[] =
    "a list of host, host:port, *.domain, *.domain:port or localhost, with commas between them";

inline constexpr char kHostPathAllowed[] =
    "a path, or in the configuration file a map from host, host:port, *.domain, *.domain:port or localhost to paths";

inline constexpr char kHeaderNamesAllowed[] =
    "a list of header names with commas between them, which are added to the default ones; -NAME takes one of those "
    "away, = before the first name makes it the whole list";
inline constexpr char kFieldNamesAllowed[] =
    "a list of names without blanks and with commas between them, which are added to the default ones; -NAME takes one "
    "of those away, = before the first name makes it the whole list";

inline constexpr char kEarlyVariable[] = "CASSETTE_EARLY";

inline constexpr SettingName kSettings[] = {
    {"CASSETTE", "cassette", 'c', "cassette", SettingKind::kPaths, "PATH[,OLD...]", nullptr,
     "a path, or several with commas between them",
     "Where the interactions are kept: a .yaml, .yml or .json file, or a directory; {program} and the "
     "context's {key}s are filled in. What PATH cannot answer is played from the OLD ones, which are "
     "never written (default: cassettes/{program}.yaml)."},
    {"CASSETTE_MODE", "mode", 'm', "mode", SettingKind::kWord, "MODE",
     "once new_episodes none all rewrite off", "once, new_episodes, none, all, rewrite, off",
     "What is played and what is recorded (default: once, or none when CI is set)."},
    {"CASSETTE_MATCH_ON", "match-on", '\0', "match_on", SettingKind::kMatchOn, "LIST",
     "method scheme host port path query uri body headers",
     "a list of method, scheme, host, port, path, query, uri, body, headers, header:NAME, with commas "
     "between them",
     "The request parts that decide whether an interaction answers a request (default: "
     "method,scheme,host,port,path,query)."},
    {"CASSETTE_ORDER", "order", '\0', "order", SettingKind::kWord, "ORDER",
     "matched sequential first", "matched, sequential, first",
     "Which of several recorded answers is played next (default: matched)."},
    {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "allow-playback-repeats", '\0', "allow_playback_repeats",
     SettingKind::kFlag, nullptr, nullptr, "1, 0, true, false, yes, no, on, off",
     "Plays a used-up interaction again instead of missing."},
    {"CASSETTE_ON_MISS", "on-miss", '\0', "on_miss", SettingKind::kWord, "fail|reset", "fail reset",
     "fail, reset",
     "Answers a miss with a 599 response, or closes the connection (default: fail)."},
    {"CASSETTE_DISCARD_ON_FAILURE", "discard-on-failure", '\0', "discard_on_failure",
     SettingKind::kFlag, nullptr, nullptr, "1, 0, true, false, yes, no, on, off",
     "Keeps nothing of what was recorded when the program ends with an error, in any mode."},
    {"CASSETTE_NO_RECORD_STATUS", "no-record-status", '\0', "no_record_status",
     SettingKind::kStatuses, "LIST", nullptr,
     "a list of status codes (100 to 599) and classes such as 5xx, with commas between them",
     "Answers of real servers that are passed on and not recorded, such as 429,5xx (default: none)."},
    {"CASSETTE_SESSION", "session", '\0', "session", SettingKind::kText, "ID", nullptr, "a name",
     "Shares playback positions with every process that names the same session (default: a new session "
     "for the process tree)."},
    {"CASSETTE_SESSION_SCOPE", "session-scope", '\0', "session_scope", SettingKind::kWord,
     "tree|process", "tree process", "tree, process",
     "Whether a process tree shares one session, or each process has its own (default: tree)."},
    {"CASSETTE_SESSION_TTL", "session-ttl", '\0', "session_ttl", SettingKind::kDuration, "DURATION",
     nullptr, "a duration such as 60s, 500ms, 2m or 1h; 0 never expires",
     "How long a named session without a living process is kept (default: 60s; 0 never expires)."},
    {"CASSETTE_MAX_SESSIONS", "max-sessions", '\0', "max_sessions", SettingKind::kCount, "N",
     nullptr, "a number from 1 to 65535", "How many named sessions there may be (default: 64)."},
    {"CASSETTE_IGNORE_HOSTS", "ignore-hosts", '\0', "ignore_hosts", SettingKind::kHosts, "LIST",
     nullptr, kHostsAllowed,
     "Hosts that are left alone: neither recorded nor replayed (default: none)."},
    {"CASSETTE_ONLY_HOSTS", "only-hosts", '\0', "only_hosts", SettingKind::kHosts, "LIST", nullptr,
     kHostsAllowed, "Leaves all but these hosts alone (default: all are intercepted)."},
    {"CASSETTE_FILTER_HEADERS", "filter-headers", '\0', "filter_headers", SettingKind::kHeaderNames,
     "LIST", nullptr, kHeaderNamesAllowed,
     "Headers whose values are never recorded, beside those that hold credentials (-NAME: but for this one; =LIST: these "
     "alone; empty: none)."},
    {"CASSETTE_FILTER_QUERY", "filter-query-parameters", '\0', "filter_query_parameters",
     SettingKind::kFieldNames, "LIST", nullptr, kFieldNamesAllowed,
     "Query parameters whose values are never recorded, beside those that hold credentials (-NAME: but for this one; "
     "=LIST: these alone; empty: none)."},
    {"CASSETTE_FILTER_BODY", "filter-body", '\0', "filter_body", SettingKind::kFieldNames, "LIST",
     nullptr, kFieldNamesAllowed,
     "JSON keys and form fields whose values are never recorded, beside those that hold credentials (-NAME: but for this "
     "one; =LIST: these alone; empty: none)."},
    {"CASSETTE_TEMPLATE", "template", '\0', "template", SettingKind::kUnsupported, "LIST", nullptr,
     "this version has no templates yet",
     "Patterns of values that change from run to run (not in this version)."},
    {"CASSETTE_CONTEXT", "context", '\0', "context", SettingKind::kPairs, "k=v,...", nullptr,
     "key=value pairs with commas between them; a key has letters, digits, '_', '-' and '.'",
     "Values that fill the {key}s of the cassette's path (default: none)."},
    {"CASSETTE_REPLAY_SPEED", "replay-speed", '\0', "replay_speed", SettingKind::kSpeed, "0|1|X",
     nullptr,
     "0 (as fast as possible), 1 (with the recorded delays), or another factor such as 0.5 or 10",
     "Replays as fast as possible (0, the default), with the recorded delays (1), or X times as fast."},
    {"CASSETTE_TLS_CA_FILE", "tls-ca-file", '\0', "tls_ca_file", SettingKind::kPath, "FILE",
     nullptr, "a path",
     "Certificates that real HTTPS servers are checked against, beside those that the program and the "
     "system trust."},
    {"CASSETTE_TLS_INSECURE_HOSTS", "tls-insecure-hosts", '\0', "tls_insecure_hosts",
     SettingKind::kHosts, "LIST", nullptr, kHostsAllowed,
     "HTTPS hosts whose certificates are not checked (default: none)."},
    {"CASSETTE_TLS_PASSTHROUGH", "tls-passthrough", '\0', "tls_passthrough", SettingKind::kHosts,
     "LIST", nullptr, kHostsAllowed,
     "Hosts whose TLS is relayed as it is, not recorded, such as those whose certificate is pinned (default: none)."},
    {"CASSETTE_TLS_CLIENT_CERT", "tls-client-cert", '\0', "tls_client_cert", SettingKind::kHostPath,
     "FILE", nullptr, kHostPathAllowed,
     "The certificate, in PEM, that a recording shows to real HTTPS servers which ask for one (default: none)."},
    {"CASSETTE_TLS_CLIENT_KEY", "tls-client-key", '\0', "tls_client_key", SettingKind::kHostPath,
     "FILE", nullptr, kHostPathAllowed,
     "Its private key, in PEM and without a passphrase (default: in the certificate's file)."},
    // The library asks for it before the configuration file is read, hence no key.
    {kEarlyVariable, "early", '\0', nullptr, SettingKind::kFlag, nullptr, nullptr,
     "1, 0, true, false, yes, no, on, off",
     "Loads and opens everything at the program's start, for programs that shut themselves in before their first connection "
     "(default: with the first connection)."},
    {"CASSETTE_LOG", "log", '\0', "log", SettingKind::kLog, "LEVEL[:FILE]",
     "off error warn info debug", "off, error, warn, info or debug, and perhaps :FILE behind it",
     "How much is told, and where (default: warn, to stderr)."},
    {"CASSETTE_CONFIG", "config", '\0', nullptr, SettingKind::kPath, "FILE", nullptr, "a path",
     "The configuration file (default: .cassette.yaml, searched from the working directory upward)."},
    {"CASSETTE_STATE_DIR", nullptr, '\0', nullptr, SettingKind::kPath, "PATH", nullptr, "a path",
     "Where is kept what outlives a session (default: $XDG_STATE_HOME/cassette)."},
    {"CASSETTE_RUNTIME_DIR", nullptr, '\0', nullptr, SettingKind::kPath, "PATH", nullptr, "a path",
     "Where sessions live while they are in use (default: /dev/shm/cassette-UID)."},
};

/// nullptr when there is none of that name.
inline const SettingName* find_setting(const char* environment) {
  for (const SettingName& setting : kSettings) {
    if (std::strcmp(setting.environment, environment) == 0) return &setting;
  }
  return nullptr;
}

/// Of a value that SettingKind::kFlag allows.
inline bool flag_is_on(const char* value) {
  return value[0] == '1' || strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
         strcasecmp(value, "on") == 0;
}

namespace setting_names_detail {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The characters of a header name (RFC 9110 section 5.6.2).
inline bool is_token(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

inline bool is_key(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '.';
}

inline bool is_word(const char* text, std::size_t length, const char* words) {
  for (const char* word = words; *word != '\0';) {
    std::size_t size = std::strcspn(word, " ");
    if (size == length && std::strncmp(word, text, length) == 0) return true;
    word += size;
    while (*word == ' ') ++word;
  }
  return false;
}

/// Digits that make a number from `low` to `high`.
inline bool is_number(const char* text, std::size_t length, unsigned long low, unsigned long high) {
  if (length == 0 || length > 10) return false;
  unsigned long value = 0;
  for (std::size_t i = 0; i < length; ++i) {
    if (!is_digit(text[i])) return false;
    value = value * 10 + static_cast<unsigned long>(text[i] - '0');
  }
  return value >= low && value <= high;
}

inline bool is_flag(const char* text) {
  static constexpr const char* kWords[] = {"1", "0", "true", "false", "yes", "no", "on", "off"};
  for (const char* word : kWords) {
    if (strcasecmp(text, word) == 0) return true;
  }
  return false;
}

inline bool is_duration(const char* text) {
  std::size_t digits = std::strspn(text, "0123456789");
  // Nine digits of any unit fit in 64 bits of milliseconds.
  if (digits == 0 || digits > 9) return false;
  return text[digits] == '\0' || is_word(text + digits, std::strlen(text + digits), "ms s m h");
}

inline bool is_speed(const char* text) {
  std::size_t whole = std::strspn(text, "0123456789");
  std::size_t fraction = 0;
  const char* rest = text + whole;
  if (*rest == '.') {
    fraction = std::strspn(rest + 1, "0123456789");
    rest += 1 + fraction;
  }
  return *rest == '\0' && whole + fraction > 0 && whole <= 6 && fraction <= 9;
}

inline bool is_host(const char* text, std::size_t length) {
  std::size_t name = length;
  const char* colon = static_cast<const char*>(std::memchr(text, ':', length));
  if (length > 0 && text[0] == '[') {
    const char* close = static_cast<const char*>(std::memchr(text, ']', length));
    if (close == nullptr || close == text + 1) return false;
    name = static_cast<std::size_t>(close - text) + 1;
    if (name < length && text[name] != ':') return false;
  } else if (colon != nullptr &&
             std::memchr(colon + 1, ':', length - static_cast<std::size_t>(colon - text) - 1) ==
                 nullptr) {
    name = static_cast<std::size_t>(colon - text);
  }  // else: more than one colon is an IPv6 address without port
  if (name < length && !is_number(text + name + 1, length - name - 1, 1, 65535)) return false;
  std::size_t begin = name > 2 && text[0] == '*' && text[1] == '.' ? 2 : 0;
  if (begin == name || text[begin] == '.') return false;
  for (std::size_t i = begin; i < name; ++i) {
    // Bytes above 0x7f: a name that was not made ASCII yet is compared as it is.
    if (static_cast<unsigned char>(text[i]) <= ' ' ||
        std::strchr("/*@?#,\"'\\\x7f", text[i]) != nullptr)
      return false;
  }
  return true;
}

inline bool is_pair(const char* text, std::size_t length) {
  const char* equals = static_cast<const char*>(std::memchr(text, '=', length));
  if (equals == nullptr || equals == text) return false;
  for (const char* c = text; c != equals; ++c) {
    if (!is_key(*c)) return false;
  }
  return true;
}

inline bool is_match_on(const char* text, std::size_t length, const char* words) {
  if (is_word(text, length, words)) return true;
  if (length <= 7 || std::strncmp(text, "header:", 7) != 0) return false;
  for (std::size_t i = 7; i < length; ++i) {
    if (!is_token(text[i])) return false;
  }
  return true;
}

/// "404", "5xx".
inline bool is_status(const char* text, std::size_t length) {
  if (length != 3 || text[0] < '1' || text[0] > '5') return false;
  return (is_digit(text[1]) && is_digit(text[2])) ||
         ((text[1] == 'x' || text[1] == 'X') && text[2] == text[1]);
}

/// Of a list that changes a default one, without the `=` at its beginning: a name, or one that is taken away.
inline bool is_name(const char* text, std::size_t length, bool of_header) {
  if (text[0] == '-') {
    ++text;
    --length;
  }
  if (length == 0 || text[0] == '+' || text[0] == '-' || text[0] == '=' || text[0] == '?')
    return false;
  for (std::size_t i = 0; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (of_header ? !is_token(text[i]) : byte <= ' ' || byte == 0x7f) return false;
  }
  return true;
}

inline bool is_item(const SettingName& setting, const char* text, std::size_t length) {
  switch (setting.kind) {
    case SettingKind::kHosts:
      return is_host(text, length);
    case SettingKind::kPairs:
      return is_pair(text, length);
    case SettingKind::kMatchOn:
      return is_match_on(text, length, setting.words);
    case SettingKind::kStatuses:
      return is_status(text, length);
    case SettingKind::kHeaderNames:
    case SettingKind::kFieldNames:
      return is_name(text, length, setting.kind == SettingKind::kHeaderNames);
    default:
      return true;
  }
}

}  // namespace setting_names_detail

/// Calls `each(begin, length)` for the items of a list: split at commas, blanks around them and
/// empty ones left out. Stops, and is false, when a call answers false.
template <typename Each>
inline bool for_each_item(const char* list, Each each) {
  for (;;) {
    std::size_t length = std::strcspn(list, ",");
    const char* next = list + length;
    const char* begin = list;
    const char* end = next;
    while (begin < end && (*begin == ' ' || *begin == '\t')) ++begin;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) --end;
    if (begin < end && !each(begin, static_cast<std::size_t>(end - begin))) return false;
    if (*next == '\0') return true;
    list = next + 1;
  }
}

inline bool changes_defaults(SettingKind kind) {
  return kind == SettingKind::kHeaderNames || kind == SettingKind::kFieldNames;
}

/// Behind the `=` that makes a list stand in place of the default one, and the blanks before it; nullptr: there is none.
inline const char* replacing_list(const char* list) {
  while (*list == ' ' || *list == '\t') ++list;
  return *list == '=' ? list + 1 : nullptr;
}

/// Whether `value` may be given. An empty one always may: it counts as not set, but for lists of names,
/// hosts and statuses, where it is the empty list.
inline bool setting_value_ok(const SettingName& setting, const char* value) {
  namespace detail = setting_names_detail;
  if (value == nullptr || *value == '\0') return true;
  switch (setting.kind) {
    case SettingKind::kPaths:
      return value[std::strspn(value, ", \t")] != '\0';
    case SettingKind::kPath:
    case SettingKind::kHostPath:
    case SettingKind::kText:
      return true;
    case SettingKind::kHeaderNames:
    case SettingKind::kFieldNames:
      if (const char* rest = replacing_list(value)) value = rest;
      return for_each_item(value, [&setting](const char* item, std::size_t length) {
        return detail::is_item(setting, item, length);
      });
    case SettingKind::kWord:
      return detail::is_word(value, std::strlen(value), setting.words);
    case SettingKind::kFlag:
      return detail::is_flag(value);
    case SettingKind::kCount:
      return detail::is_number(value, std::strlen(value), 1, kMaxCount);
    case SettingKind::kDuration:
      return detail::is_duration(value);
    case SettingKind::kSpeed:
      return detail::is_speed(value);
    case SettingKind::kHosts:
    case SettingKind::kPairs:
    case SettingKind::kStatuses:
      return for_each_item(value, [&setting](const char* item, std::size_t length) {
        return detail::is_item(setting, item, length);
      });
    case SettingKind::kMatchOn: {
      // A list of nothing but commas would let any interaction answer any request.
      bool any = false;
      return for_each_item(value,
                           [&setting, &any](const char* item, std::size_t length) {
                             any = true;
                             return detail::is_item(setting, item, length);
                           }) &&
             any;
    }
    case SettingKind::kLog: {
      std::size_t level = std::strcspn(value, ":");
      return detail::is_word(value, level, setting.words) &&
             (value[level] == '\0' || value[level + 1] != '\0');
    }
    case SettingKind::kUnsupported:
      return false;
  }
  return false;
}

/// The message for a value that setting_value_ok() turned down: names where it was given (`source`:
/// the variable, the flag, or file and key), the value, and what is allowed.
inline void setting_error(char* out, std::size_t size, const char* source,
                          const SettingName& setting, const char* value) {
  const char* format = "%s: unknown value \"%.200s\"; allowed: %s";
  if (setting.kind == SettingKind::kUnsupported) format = "%s: \"%.200s\" cannot be used: %s";
  if (changes_defaults(setting.kind)) {
    const bool plus =
        !for_each_item(value, [](const char* item, std::size_t) { return item[0] != '+'; });
    format =
        plus ? "%s: unknown value \"%.200s\": leave the + out, names are added anyway; allowed: %s"
             : "%s: \"%.200s\" has what cannot be a name; allowed: %s";
  }
  std::snprintf(out, size, format, source, value, setting.allowed);
}

}  // namespace cassette
