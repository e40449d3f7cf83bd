// The settings of DESIGN.md's contract: environment beats `.cassette.yaml` beats default (a flag of
// `cassette run` is handed on as environment). The names and allowed values are in setting_names.h,
// which the thin library shares.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"

namespace cassette {

enum class RecordMode { kOnce, kNewEpisodes, kNone, kAll, kRewrite, kOff };
enum class Order { kMatched, kSequential, kFirst };
enum class OnMiss { kFail, kReset };
enum class SessionScope { kTree, kProcess };
enum class LogLevel { kOff, kError, kWarn, kInfo, kDebug };

std::string_view name_of(RecordMode mode);
std::string_view name_of(Order order);

/// Which parts of a request decide whether an interaction answers it.
struct MatchOn {
  bool method = true, scheme = true, host = true, port = true, path = true, query = true;
  bool uri = false, body = false, headers = false;
  std::vector<std::string> header_names;  ///< from `header:NAME`, lower case, sorted
  bool operator==(const MatchOn&) const = default;
  std::string text() const;  ///< in the contract's syntax, canonical order
};

/// `host`, `host:port`, `*.domain`, `localhost` (which stands for all of the machine's loopback
/// names).
struct HostPattern {
  std::string host;        ///< lower case; "*.domain" kept as ".domain"
  std::uint16_t port = 0;  ///< 0: any
  bool operator==(const HostPattern&) const = default;
};
/// Takes a text that setting_value_ok() has let pass.
HostPattern parse_host_pattern(std::string_view text);

class HostList {
 public:
  void add(HostPattern pattern) { patterns_.push_back(std::move(pattern)); }
  bool empty() const { return patterns_.empty(); }
  bool contains(std::string_view host, std::uint16_t port) const;
  bool operator==(const HostList&) const = default;

 private:
  std::vector<HostPattern> patterns_;
};

/// What a recording shows to real TLS servers that ask for a certificate. Both files are PEM, their paths absolute.
struct ClientCertificate {
  HostList hosts;  ///< empty: any
  std::string certificate_file;
  std::string key_file;            ///< the same one, where no other was given
  std::string certificate_source;  ///< for messages: the variable, or file, line and key
  std::string key_source;
};

/// Status codes of answers, by code or by class.
class StatusList {
 public:
  /// Takes what setting_value_ok() has let pass: "429", "5xx".
  void add(std::string_view item);
  bool contains(int status) const {
    return status >= 0 && status < static_cast<int>(codes_.size()) &&
           codes_[static_cast<std::size_t>(status)];
  }

 private:
  std::bitset<600> codes_;
};

struct Settings {
  std::string cassette = "cassettes/{program}.yaml";  ///< as given; resolve with cassette_path()
  /// Where what `cassette` cannot play is looked for, in this order; as given.
  std::vector<std::string> fallbacks;
  /// The directory that a relative `cassette` is relative to; empty: the working directory.
  std::string cassette_base;
  RecordMode mode = RecordMode::kOnce;
  MatchOn match_on;
  Order order = Order::kMatched;
  bool allow_playback_repeats = false;
  OnMiss on_miss = OnMiss::kFail;
  bool discard_on_failure = false;
  StatusList no_record_status;
  std::string session;  ///< empty: the process tree's own
  SessionScope session_scope = SessionScope::kTree;
  std::chrono::milliseconds session_ttl{60000};  ///< 0: never expires
  unsigned max_sessions = 64;
  HostList ignore_hosts;
  HostList only_hosts;
  std::vector<std::string> filter_headers;  ///< lower case
  std::vector<std::string> filter_query;
  std::vector<std::string> filter_body;
  std::vector<std::string> templates;
  std::map<std::string, std::string> context;
  double replay_speed = 0;  ///< 0: as fast as possible; 1: as recorded; 2: twice as fast
  std::string tls_ca_file;
  HostList tls_insecure_hosts;
  HostList tls_passthrough;                                ///< hosts whose TLS is not taken apart
  std::vector<ClientCertificate> tls_client_certificates;  ///< in the order in which they are asked
  LogLevel log_level = LogLevel::kWarn;
  std::string log_file;     ///< empty: stderr
  std::string config_file;  ///< the one that was read, or empty
  std::string state_dir;
  std::string runtime_dir;

  /// The first of tls_client_certificates that is for the host; nullptr: there is none.
  const ClientCertificate* client_certificate_for(std::string_view host, std::uint16_t port) const;
};

/// Reads a variable: nullptr when it is not set.
using GetEnvironment = std::function<const char*(const char* name)>;

/// `working_directory` is where the search for `.cassette.yaml` begins. Errors name the variable or
/// file and key, the value, and what is allowed. A setting whose feature does not exist yet is an
/// error that says so, never silently without effect.
Result<Settings> load_settings(const GetEnvironment& get_environment,
                               const std::string& working_directory);

/// Fills `{program}` and the context's `{key}`s and makes the path absolute. A `{key}` that nothing
/// fills is an error that names it. The values cannot lead out of a directory: `/` becomes `_`.
Result<std::string> cassette_path(const Settings& settings, std::string_view program,
                                  const std::string& working_directory);
/// The same for the fallbacks; one that is there already is left out.
Result<std::vector<std::string>> fallback_paths(const Settings& settings, std::string_view program,
                                                const std::string& working_directory);

}  // namespace cassette
