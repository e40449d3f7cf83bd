// The settings of the contract: where they come from, which one wins, and what a bad one is told.
#include "store/settings/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/redaction/redaction.h"
#include "store/settings/client_certificates.h"
#include "store/settings/setting_names.h"

namespace cassette {
namespace {

namespace fs = std::filesystem;
using Environment = std::map<std::string, std::string>;

GetEnvironment reader(const Environment& environment) {
  return [&environment](const char* name) -> const char* {
    auto found = environment.find(name);
    return found != environment.end() ? found->second.c_str() : nullptr;
  };
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    std::string pattern = (fs::temp_directory_path() / "settings-test.XXXXXX").string();
    directory_ = fs::canonical(mkdtemp(pattern.data())).string();
  }
  ~SettingsTest() override { fs::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = fs::path(directory_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  Result<Settings> load(const Environment& environment, const std::string& below = "") {
    return load_settings(reader(environment), directory_ + below);
  }
  Settings loaded(const Environment& environment, const std::string& below = "") {
    auto settings = load(environment, below);
    EXPECT_TRUE(settings.ok()) << settings.error().message;
    return settings.ok() ? *settings : Settings();
  }
  std::string error(const Environment& environment, const std::string& below = "") {
    auto settings = load(environment, below);
    return settings.ok() ? "no error" : settings.error().message;
  }

  std::string directory_;
};

void expect_in(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
}

TEST_F(SettingsTest, DefaultsAreThoseOfTheContract) {
  const Settings s = loaded({});
  EXPECT_EQ(s.cassette, "cassettes/{program}.yaml");
  EXPECT_EQ(s.mode, RecordMode::kOnce);
  EXPECT_EQ(s.match_on.text(), "method,scheme,host,port,path,query");
  EXPECT_EQ(s.order, Order::kMatched);
  EXPECT_FALSE(s.allow_playback_repeats);
  EXPECT_EQ(s.on_miss, OnMiss::kFail);
  EXPECT_EQ(s.session, "");
  EXPECT_EQ(s.session_scope, SessionScope::kTree);
  EXPECT_EQ(s.session_ttl, std::chrono::seconds(60));
  EXPECT_EQ(s.max_sessions, 64u);
  EXPECT_TRUE(s.ignore_hosts.empty());
  EXPECT_TRUE(s.only_hosts.empty());
  EXPECT_EQ(s.filter_headers, default_filter_headers());
  EXPECT_EQ(s.filter_query, default_filter_query());
  EXPECT_EQ(s.filter_body, default_filter_body());
  EXPECT_EQ(s.replay_speed, 0);
  EXPECT_EQ(s.log_level, LogLevel::kWarn);
  EXPECT_EQ(s.log_file, "");
  EXPECT_EQ(s.config_file, "");
  EXPECT_EQ(s.runtime_dir, "/dev/shm/cassette-" + std::to_string(geteuid()));
}

TEST_F(SettingsTest, EveryVariableHasAnEffect) {
  struct Case {
    std::string variable;
    std::string value;
    std::function<bool(const Settings&)> holds;
  };
  const std::vector<Case> cases = {
      {"CASSETTE", "w.json", [](const Settings& s) { return s.cassette == "w.json"; }},
      {"CASSETTE_MODE", "once", [](const Settings& s) { return s.mode == RecordMode::kOnce; }},
      {"CASSETTE_MODE", "new_episodes",
       [](const Settings& s) { return s.mode == RecordMode::kNewEpisodes; }},
      {"CASSETTE_MODE", "none", [](const Settings& s) { return s.mode == RecordMode::kNone; }},
      {"CASSETTE_MODE", "all", [](const Settings& s) { return s.mode == RecordMode::kAll; }},
      {"CASSETTE_MODE", "rewrite",
       [](const Settings& s) { return s.mode == RecordMode::kRewrite; }},
      {"CASSETTE_MODE", "off", [](const Settings& s) { return s.mode == RecordMode::kOff; }},
      {"CASSETTE_MATCH_ON", "uri, body,header:X-B,headers,header:x-a,header:X-a",
       [](const Settings& s) {
         return s.match_on.text() == "uri,body,headers,header:x-a,header:x-b";
       }},
      {"CASSETTE_ORDER", "matched", [](const Settings& s) { return s.order == Order::kMatched; }},
      {"CASSETTE_ORDER", "sequential",
       [](const Settings& s) { return s.order == Order::kSequential; }},
      {"CASSETTE_ORDER", "first", [](const Settings& s) { return s.order == Order::kFirst; }},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "1",
       [](const Settings& s) { return s.allow_playback_repeats; }},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "True",
       [](const Settings& s) { return s.allow_playback_repeats; }},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "yes",
       [](const Settings& s) { return s.allow_playback_repeats; }},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "on",
       [](const Settings& s) { return s.allow_playback_repeats; }},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "0",
       [](const Settings& s) { return !s.allow_playback_repeats; }},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "off",
       [](const Settings& s) { return !s.allow_playback_repeats; }},
      {"CASSETTE_DISCARD_ON_FAILURE", "yes",
       [](const Settings& s) { return s.discard_on_failure; }},
      {"CASSETTE_NO_RECORD_STATUS", "429, 5xx",
       [](const Settings& s) {
         const StatusList& list = s.no_record_status;
         return list.contains(429) && list.contains(500) && list.contains(599) &&
                !list.contains(430) && !list.contains(499) && !list.contains(-1) &&
                !list.contains(999);
       }},
      {"CASSETTE_ON_MISS", "fail", [](const Settings& s) { return s.on_miss == OnMiss::kFail; }},
      {"CASSETTE_ON_MISS", "reset", [](const Settings& s) { return s.on_miss == OnMiss::kReset; }},
      {"CASSETTE_SESSION", "ci-17", [](const Settings& s) { return s.session == "ci-17"; }},
      {"CASSETTE_SESSION_SCOPE", "process",
       [](const Settings& s) { return s.session_scope == SessionScope::kProcess; }},
      {"CASSETTE_SESSION_SCOPE", "tree",
       [](const Settings& s) { return s.session_scope == SessionScope::kTree; }},
      {"CASSETTE_SESSION_TTL", "500ms",
       [](const Settings& s) { return s.session_ttl == std::chrono::milliseconds(500); }},
      {"CASSETTE_SESSION_TTL", "90s",
       [](const Settings& s) { return s.session_ttl == std::chrono::seconds(90); }},
      {"CASSETTE_SESSION_TTL", "2m",
       [](const Settings& s) { return s.session_ttl == std::chrono::minutes(2); }},
      {"CASSETTE_SESSION_TTL", "1h",
       [](const Settings& s) { return s.session_ttl == std::chrono::hours(1); }},
      {"CASSETTE_SESSION_TTL", "7",
       [](const Settings& s) { return s.session_ttl == std::chrono::seconds(7); }},
      {"CASSETTE_SESSION_TTL", "0", [](const Settings& s) { return s.session_ttl.count() == 0; }},
      {"CASSETTE_MAX_SESSIONS", "3", [](const Settings& s) { return s.max_sessions == 3; }},
      {"CASSETTE_IGNORE_HOSTS", "a.test,*.b.test:81",
       [](const Settings& s) { return s.ignore_hosts.contains("x.b.test", 81); }},
      {"CASSETTE_ONLY_HOSTS", "[::1]:8080",
       [](const Settings& s) { return s.only_hosts.contains("::1", 8080); }},
      {"CASSETTE_FILTER_HEADERS", "=X-One, Two",
       [](const Settings& s) {
         return s.filter_headers == std::vector<std::string>{"two", "x-one"};
       }},
      {"CASSETTE_FILTER_HEADERS", "", [](const Settings& s) { return s.filter_headers.empty(); }},
      {"CASSETTE_FILTER_QUERY", "", [](const Settings& s) { return s.filter_query.empty(); }},
      {"CASSETTE_FILTER_BODY", "Pin",
       [](const Settings& s) {
         return s.filter_body.size() == default_filter_body().size() + 1 &&
                holds(s.filter_body, "pin") && holds(s.filter_body, "password");
       }},
      {"CASSETTE_CONTEXT", "branch=main, run=a=b",
       [](const Settings& s) {
         return s.context == std::map<std::string, std::string>{{"branch", "main"}, {"run", "a=b"}};
       }},
      {"CASSETTE_REPLAY_SPEED", "1", [](const Settings& s) { return s.replay_speed == 1; }},
      {"CASSETTE_REPLAY_SPEED", "0.5", [](const Settings& s) { return s.replay_speed == 0.5; }},
      {"CASSETTE_LOG", "debug", [](const Settings& s) { return s.log_level == LogLevel::kDebug; }},
      {"CASSETTE_TLS_CA_FILE", "/etc/own.pem",
       [](const Settings& s) { return s.tls_ca_file == "/etc/own.pem"; }},
      {"CASSETTE_TLS_INSECURE_HOSTS", "a.test,localhost",
       [](const Settings& s) { return s.tls_insecure_hosts.contains("127.0.0.1", 443); }},
      {"CASSETTE_TLS_PASSTHROUGH", "*.pinned.test:443",
       [](const Settings& s) { return s.tls_passthrough.contains("a.pinned.test", 443); }},
      {"CASSETTE_TLS_CLIENT_CERT", "/etc/own.pem",
       [](const Settings& s) {
         const ClientCertificate* own = s.client_certificate_for("a.test", 443);
         return own != nullptr && own->certificate_file == "/etc/own.pem" &&
                own->key_file == "/etc/own.pem";
       }},
      {"CASSETTE_LOG", "off", [](const Settings& s) { return s.log_level == LogLevel::kOff; }},
      {"CASSETTE_LOG", "info:/tmp/a:b.log",
       [](const Settings& s) {
         return s.log_level == LogLevel::kInfo && s.log_file == "/tmp/a:b.log";
       }},
      {"CASSETTE_STATE_DIR", "/var/s/", [](const Settings& s) { return s.state_dir == "/var/s/"; }},
      {"CASSETTE_RUNTIME_DIR", "/var/r",
       [](const Settings& s) { return s.runtime_dir == "/var/r"; }},
  };
  // The key has a test of its own: alone it is an error. CASSETTE_EARLY is the thin library's (guest_shut_in.test).
  std::set<std::string> seen = {"CASSETTE_CONFIG", "CASSETTE_TLS_CLIENT_KEY", kEarlyVariable};
  for (const Case& c : cases) {
    seen.insert(c.variable);
    EXPECT_TRUE(c.holds(loaded({{c.variable, c.value}}))) << c.variable << "=" << c.value;
  }
  for (const SettingName& setting : kSettings) {
    if (setting.kind != SettingKind::kUnsupported) {
      EXPECT_EQ(seen.count(setting.environment), 1u)
          << setting.environment << " is tested by nobody";
    }
  }
}

/// "certificate key" for a host, or "none".
std::string shown_to(const Settings& settings, std::string_view host, std::uint16_t port = 443) {
  const ClientCertificate* found = settings.client_certificate_for(host, port);
  return found != nullptr ? found->certificate_file + " " + found->key_file : "none";
}

TEST_F(SettingsTest, AClientCertificateHasAKey) {
  EXPECT_EQ(shown_to(loaded({}), "a.test"), "none");
  EXPECT_EQ(shown_to(loaded({{"CASSETTE_TLS_CLIENT_CERT", "c.pem"},
                             {"CASSETTE_TLS_CLIENT_KEY", "/k.pem"}}),
                     "a.test"),
            directory_ + "/c.pem /k.pem");
  EXPECT_EQ(
      error({{"CASSETTE_TLS_CLIENT_KEY", "/k.pem"}}),
      "CASSETTE_TLS_CLIENT_KEY: a key without a certificate: /k.pem; tls-client-cert names that");
}

TEST_F(SettingsTest, ClientCertificatesAreForTheirHosts) {
  write(".cassette.yaml",
        "tls_client_cert:\n"
        "  one.test:8443: one.pem\n"
        "  '*.test': wide.pem\n"
        "  localhost: /here.pem\n"
        "tls_client_key:\n"
        "  '*.TEST': wide.key\n");
  const Settings settings = loaded({});
  const std::string at = directory_ + "/";
  EXPECT_EQ(shown_to(settings, "ONE.test", 8443), at + "one.pem " + at + "one.pem");
  EXPECT_EQ(shown_to(settings, "one.test"), at + "wide.pem " + at + "wide.key");
  EXPECT_EQ(shown_to(settings, "127.0.0.1"), "/here.pem /here.pem");
  EXPECT_EQ(shown_to(settings, "a.example"), "none");
  // A key of the environment is for all of them; a certificate of the environment stands in place of them, and of their keys.
  const Settings keyed = loaded({{"CASSETTE_TLS_CLIENT_KEY", "/secret.key"}});
  EXPECT_EQ(shown_to(keyed, "one.test"), at + "wide.pem /secret.key");
  EXPECT_EQ(shown_to(keyed, "localhost"), "/here.pem /secret.key");
  const Settings other = loaded({{"CASSETTE_TLS_CLIENT_CERT", "/other.pem"}});
  EXPECT_EQ(shown_to(other, "one.test"), "/other.pem /other.pem");
  EXPECT_EQ(shown_to(other, "a.example"), "/other.pem /other.pem");
}

TEST_F(SettingsTest, WhatIsWrongWithClientCertificatesIsSaid) {
  const std::string file = write(
      ".cassette.yaml", "tls_client_cert: {a.test: a.pem}\ntls_client_key: {b.test: b.key}\n");
  EXPECT_EQ(error({}), file +
                           ":2: tls_client_key: a key without a certificate for the same host: " +
                           directory_ + "/b.key; tls-client-cert names that");
  for (const char* bad : {"{'http://a': c.pem}", "{'a.test,b.test': c.pem}", "{a.test: ''}"}) {
    write(".cassette.yaml", std::string("tls_client_cert: ") + bad + "\n");
    EXPECT_EQ(error({}).find(file + ":1: tls_client_cert: unknown value"), 0U) << bad;
  }
  for (const char* bad : {"[c.pem]", "{a.test: [c.pem]}", "{a.test: }"}) {
    write(".cassette.yaml", std::string("tls_client_cert: ") + bad + "\n");
    EXPECT_EQ(error({}).find(file + ":1: tls_client_cert: "), 0U) << bad;
  }
}

TEST_F(SettingsTest, FilesOfClientCertificatesAreLookedInto) {
  const std::string block = "-----BEGIN X-----\nMAA=\n-----END X-----\n";
  auto pem = [&block](const std::string& label) {
    std::string text = block;
    for (std::size_t at = text.find("X-"); at != std::string::npos; at = text.find("X-"))
      text.replace(at, 1, label);
    return text;
  };
  auto checked = [&](const std::string& certificate, const std::string& key) {
    Environment environment = {{"CASSETTE_TLS_CLIENT_CERT", certificate}};
    if (!key.empty()) environment["CASSETTE_TLS_CLIENT_KEY"] = key;
    auto result = check_client_certificates(loaded(environment));
    return result.ok() ? "" : result.error().message;
  };
  const std::string both =
      write("both.pem", "a comment\n" + pem("EC PRIVATE KEY") + pem("CERTIFICATE"));
  const std::string certificate = write("c.pem", pem("CERTIFICATE"));
  const std::string key = write("k.pem", pem("PRIVATE KEY"));
  EXPECT_EQ(checked(both, ""), "");
  EXPECT_EQ(checked(certificate, key), "");
  EXPECT_EQ(checked(certificate, ""),
            "CASSETTE_TLS_CLIENT_CERT: " + certificate +
                " holds no private key in PEM: name the file that does (tls-client-key)");
  EXPECT_EQ(checked(key, key), "CASSETTE_TLS_CLIENT_CERT: " + key + " holds no certificate in PEM");
  EXPECT_EQ(checked(certificate, certificate),
            "CASSETTE_TLS_CLIENT_KEY: " + certificate + " holds no private key in PEM");
  EXPECT_NE(checked(certificate, write("e.pem", pem("ENCRYPTED PRIVATE KEY"))).find("is encrypted"),
            std::string::npos);
  EXPECT_NE(checked("/absent.pem", key).find("CASSETTE_TLS_CLIENT_CERT: "), std::string::npos);
  EXPECT_NE(checked("/absent.pem", key).find("/absent.pem: No such file"), std::string::npos);
  EXPECT_NE(checked(certificate, "/absent.pem").find("CASSETTE_TLS_CLIENT_KEY: "),
            std::string::npos);
  EXPECT_TRUE(check_client_certificates(Settings()).ok());
}

TEST_F(SettingsTest, ABadValueIsAnErrorThatNamesVariableValueAndWhatIsAllowed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"CASSETTE_MODE", "sometimes"},
      {"CASSETTE_MODE", "Once"},
      {"CASSETTE_MODE", "once "},
      {"CASSETTE_MATCH_ON", "method,colour"},
      {"CASSETTE_MATCH_ON", "header:"},
      {"CASSETTE_MATCH_ON", "header:a b"},
      {"CASSETTE_MATCH_ON", ","},
      {"CASSETTE_ORDER", "random"},
      {"CASSETTE_ALLOW_PLAYBACK_REPEATS", "maybe"},
      {"CASSETTE_DISCARD_ON_FAILURE", "maybe"},
      {"CASSETTE_NO_RECORD_STATUS", "600"},
      {"CASSETTE_NO_RECORD_STATUS", "99"},
      {"CASSETTE_NO_RECORD_STATUS", "2,404"},
      {"CASSETTE_NO_RECORD_STATUS", "4xX"},
      {"CASSETTE_NO_RECORD_STATUS", "6xx"},
      {"CASSETTE_NO_RECORD_STATUS", "4x4"},
      {"CASSETTE", " , "},
      {"CASSETTE_ON_MISS", "ignore"},
      {"CASSETTE_SESSION_SCOPE", "thread"},
      {"CASSETTE_SESSION_TTL", "soon"},
      {"CASSETTE_SESSION_TTL", "-1"},
      {"CASSETTE_SESSION_TTL", "1.5s"},
      {"CASSETTE_SESSION_TTL", "99999999999999999999"},
      {"CASSETTE_MAX_SESSIONS", "0"},
      {"CASSETTE_MAX_SESSIONS", "many"},
      {"CASSETTE_MAX_SESSIONS", "65536"},
      {"CASSETTE_IGNORE_HOSTS", "http://a.test"},
      {"CASSETTE_IGNORE_HOSTS", "a.test:99999"},
      {"CASSETTE_IGNORE_HOSTS", "a.test:"},
      {"CASSETTE_IGNORE_HOSTS", "*"},
      {"CASSETTE_IGNORE_HOSTS", "a*.test"},
      {"CASSETTE_IGNORE_HOSTS", "a.test b.test"},
      {"CASSETTE_ONLY_HOSTS", "[::1"},
      {"CASSETTE_ONLY_HOSTS", "a.test,[]:80"},
      {"CASSETTE_CONTEXT", "branch"},
      {"CASSETTE_CONTEXT", "=x"},
      {"CASSETTE_CONTEXT", "a/b=x"},
      {"CASSETTE_REPLAY_SPEED", "-1"},
      {"CASSETTE_REPLAY_SPEED", "fast"},
      {"CASSETTE_REPLAY_SPEED", "."},
      {"CASSETTE_REPLAY_SPEED", "1e3"},
      {"CASSETTE_LOG", "loud"},
      {"CASSETTE_LOG", "info:"},
      {"CASSETTE_TEMPLATE", "common"},
      {"CASSETTE_TLS_INSECURE_HOSTS", "a.test:x"},
      {"CASSETTE_TLS_PASSTHROUGH", "https://a.test"},
      {"CASSETTE_FILTER_HEADERS", "+X-Trace-Id"},
      {"CASSETTE_FILTER_HEADERS", "X-A,=X-B"},
      {"CASSETTE_FILTER_HEADERS", "X Trace"},
      {"CASSETTE_FILTER_HEADERS", "X-A: b"},
      {"CASSETTE_FILTER_HEADERS", "=+X-A"},
      {"CASSETTE_FILTER_HEADERS", "-"},
      {"CASSETTE_FILTER_QUERY", "+nonce"},
      {"CASSETTE_FILTER_QUERY", "a,=b"},
      {"CASSETTE_FILTER_BODY", "my pin"},
      {"CASSETTE_FILTER_BODY", "a\x01"},
      {"CASSETTE_FILTER_BODY", "?pin"},
  };
  for (const auto& [variable, value] : cases) {
    const std::string message = error({{variable, value}});
    expect_in(message, variable + ": ");
    expect_in(message, "\"" + value + "\"");
    expect_in(message, find_setting(variable.c_str())->allowed);
    // The thin library says the same, with libc alone.
    EXPECT_FALSE(setting_value_ok(*find_setting(variable.c_str()), value.c_str()))
        << variable << "=" << value;
  }
  expect_in(error({{"CASSETTE_MODE", "sometimes"}}), "once, new_episodes, none, all, rewrite, off");
}

TEST_F(SettingsTest, AFeatureThatDoesNotExistYetIsAnErrorNotSilence) {
  expect_in(error({{"CASSETTE_TEMPLATE", "llm"}}), "this version has no templates yet");
  write(".cassette.yaml", "template:\n  id: '[0-9]+'\n");
  expect_in(error({}), ":1: template: ");
}

TEST_F(SettingsTest, AnEmptyValueCountsAsNotSet) {
  Environment environment;
  for (const SettingName& setting : kSettings) {
    if (!changes_defaults(setting.kind)) environment[setting.environment] = "";
  }
  const Settings s = loaded(environment);
  EXPECT_EQ(s.cassette, "cassettes/{program}.yaml");
  EXPECT_EQ(s.mode, RecordMode::kOnce);
  EXPECT_EQ(s.match_on, MatchOn());
  EXPECT_EQ(s.max_sessions, 64u);
}

TEST_F(SettingsTest, InContinuousIntegrationTheDefaultIsToRecordNothing) {
  EXPECT_EQ(loaded({{"CI", "true"}}).mode, RecordMode::kNone);
  EXPECT_EQ(loaded({{"CI", "1"}}).mode, RecordMode::kNone);
  EXPECT_EQ(loaded({{"CI", "woodpecker"}}).mode, RecordMode::kNone);
  EXPECT_EQ(loaded({{"CI", ""}}).mode, RecordMode::kOnce);
  EXPECT_EQ(loaded({{"CI", "0"}}).mode, RecordMode::kOnce);
  EXPECT_EQ(loaded({{"CI", "false"}}).mode, RecordMode::kOnce);
  EXPECT_EQ(loaded({{"CI", "true"}, {"CASSETTE_MODE", "all"}}).mode, RecordMode::kAll);
  write(".cassette.yaml", "mode: once\n");
  EXPECT_EQ(loaded({{"CI", "true"}}).mode, RecordMode::kOnce);
}

TEST_F(SettingsTest, TheConfigurationFileIsFoundUpward) {
  const std::string file = write(".cassette.yaml", "mode: all\n");
  fs::create_directories(directory_ + "/a/b");
  const Settings s = loaded({}, "/a/b");
  EXPECT_EQ(s.mode, RecordMode::kAll);
  EXPECT_EQ(s.config_file, file);
  write("a/.cassette.yaml", "order: first\n");
  EXPECT_EQ(loaded({}, "/a/b").mode, RecordMode::kOnce) << "the nearest one alone counts";
}

TEST_F(SettingsTest, TheEnvironmentBeatsTheConfigurationFile) {
  write(".cassette.yaml",
        "mode: all\nignore_hosts: [a.test]\nfilter_headers: [x-a]\norder: first\n");
  const Settings s = loaded(
      {{"CASSETTE_MODE", "none"}, {"CASSETTE_IGNORE_HOSTS", ""}, {"CASSETTE_FILTER_HEADERS", ""}});
  EXPECT_EQ(s.mode, RecordMode::kNone);
  EXPECT_EQ(s.order, Order::kFirst);
  EXPECT_TRUE(s.ignore_hosts.empty()) << "an empty list is a list";
  EXPECT_TRUE(s.filter_headers.empty());
}

TEST_F(SettingsTest, NamesOfOnesOwnChangeTheDefaultLists) {
  auto list = [this](const std::string& value) {
    return loaded({{"CASSETTE_FILTER_QUERY", value}}).filter_query;
  };
  const std::size_t usual = default_filter_query().size();
  EXPECT_TRUE(holds(list("Nonce"), "nonce"));
  EXPECT_EQ(list("nonce,nonce").size(), usual + 1);
  EXPECT_EQ(list("-password").size(), usual - 1);
  EXPECT_FALSE(holds(list("-Password"), "password"));
  EXPECT_FALSE(holds(list("-token"), "?token"));
  EXPECT_TRUE(holds(list("token"), "token")) << "what one names is hidden whatever its value";
  EXPECT_FALSE(holds(list("token"), "?token"));
  EXPECT_EQ(list("-no-such-name").size(), usual);
  EXPECT_EQ(list("=b,a"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(list(" = a"), (std::vector<std::string>{"a"}));
  EXPECT_TRUE(list("=").empty());
  EXPECT_TRUE(list("").empty());
  EXPECT_EQ(list("a,b"), list("b,a")) << "one session, whatever the order";
  write(".cassette.yaml", "filter_headers: [X-Trace-Id, -Cookie]\nfilter_body: ['=pin', code]\n");
  const Settings s = loaded({});
  EXPECT_TRUE(holds(s.filter_headers, "x-trace-id"));
  EXPECT_TRUE(holds(s.filter_headers, "authorization"));
  EXPECT_FALSE(holds(s.filter_headers, "cookie"));
  EXPECT_EQ(s.filter_body, (std::vector<std::string>{"code", "pin"}));
  expect_in(error({{"CASSETTE_FILTER_HEADERS", "+X-Trace-Id"}}), "names are added anyway");
}

TEST_F(SettingsTest, EveryKeyOfTheConfigurationFileIsAFlagWithUnderscores) {
  for (const SettingName& setting : kSettings) {
    EXPECT_NE(setting.help, nullptr);
    EXPECT_NE(setting.allowed, nullptr);
    if (setting.key == nullptr) continue;
    ASSERT_NE(setting.flag, nullptr);
    std::string key = setting.flag;
    std::replace(key.begin(), key.end(), '-', '_');
    EXPECT_EQ(setting.key, key);
  }
}

TEST_F(SettingsTest, ConfigurationValuesMayBeListsMapsOrTheTextOfTheVariable) {
  write(".cassette.yaml",
        "match_on: [method, 'header:X-A']\n"
        "only_hosts: a.test, b.test:81\n"
        "context: {branch: main, list: 'a,b'}\n"
        "session_ttl: 5\n"
        "replay_speed: 0.25\n"
        "allow_playback_repeats: true\n"
        "filter_body: []\n"
        "session:\n");
  const Settings s = loaded({});
  EXPECT_EQ(s.match_on.text(), "method,header:x-a");
  EXPECT_TRUE(s.only_hosts.contains("a.test", 9));
  EXPECT_TRUE(s.only_hosts.contains("b.test", 81));
  EXPECT_EQ(s.context.at("branch"), "main");
  EXPECT_EQ(s.context.at("list"), "a,b");
  EXPECT_EQ(s.session_ttl, std::chrono::seconds(5));
  EXPECT_EQ(s.replay_speed, 0.25);
  EXPECT_TRUE(s.allow_playback_repeats);
  EXPECT_TRUE(s.filter_body.empty());
  EXPECT_EQ(s.session, "");
  write(".cassette.yaml", "context: [a=1, b=2]\n");
  EXPECT_EQ(loaded({}).context.at("b"), "2");
}

TEST_F(SettingsTest, AnUnknownKeyNamesFileLineAndTheNearestKnownOne) {
  const std::string file = write(".cassette.yaml", "# comment\nmode: none\nmatchon: [method]\n");
  const std::string message = error({});
  expect_in(message, file + ":3: ");
  expect_in(message, "\"matchon\"");
  expect_in(message, "\"match_on\"");
}

TEST_F(SettingsTest, ABadConfigurationFileNamesFileLineAndReason) {
  struct Case {
    std::string text;
    std::string at;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"mode: none\norder: [", ":2", "not valid YAML"},
      {"- mode\n", ":1: ", "map of settings"},
      {"just text", ":1: ", "map of settings"},
      {"mode: none\nmode: all\n", ":2: ", "already set in line 1"},
      {"order: first\nmode: [none]\n", ":2: mode: ", "one value is expected"},
      {"mode: {a: b}\n", ":1: mode: ", "once, new_episodes, none"},
      {"\nmode: never\n", ":2: mode: ", "\"never\"; allowed: once, new_episodes"},
      {"context: {a/b: x}\n", ":1: context: ", "\"a/b=x\""},
      {"context: {a: [x]}\n", ":1: context: ", "plain values"},
      {"ignore_hosts: [[a]]\n", ":1: ignore_hosts: ", "plain values"},
      {"session: \"a\\0b\"\n", ":1: session: ", "zero byte"},
  };
  for (const Case& c : cases) {
    const std::string file = write(".cassette.yaml", c.text);
    const std::string message = error({});
    expect_in(message, file + c.at);
    expect_in(message, c.reason);
  }
  // Even where the environment would override it.
  write(".cassette.yaml", "mode: never\n");
  expect_in(error({{"CASSETTE_MODE", "none"}}), "\"never\"");
}

TEST_F(SettingsTest, AConfigurationFileThatIsNamedMustExist) {
  const std::string message = error({{"CASSETTE_CONFIG", "absent.yaml"}});
  expect_in(message, "CASSETTE_CONFIG");
  expect_in(message, directory_ + "/absent.yaml");
  write("conf/mine.yaml", "mode: all\n");
  write(".cassette.yaml", "order: first\n");
  const Settings s = loaded({{"CASSETTE_CONFIG", "conf/mine.yaml"}});
  EXPECT_EQ(s.mode, RecordMode::kAll);
  EXPECT_EQ(s.order, Order::kMatched)
      << "the named file stands in place of the one that would be found";
  EXPECT_EQ(loaded({{"CASSETTE_CONFIG", "/dev/null"}}).order, Order::kMatched);
}

TEST_F(SettingsTest, AConfigurationFileThatCannotBeReadIsNotPassedOver) {
  fs::create_directory(directory_ + "/.cassette.yaml");
  expect_in(error({}), directory_ + "/.cassette.yaml");
}

TEST_F(SettingsTest, AnEmptyConfigurationFileSaysNothing) {
  write(".cassette.yaml", "# nothing yet\n");
  EXPECT_EQ(loaded({}).mode, RecordMode::kOnce);
}

TEST_F(SettingsTest, PathsInAConfigurationFileAreRelativeToIt) {
  write(".cassette.yaml", "cassette: tapes/{program}.yaml\nlog: info:c.log\n");
  fs::create_directories(directory_ + "/sub");
  Settings s = loaded({}, "/sub");
  EXPECT_EQ(*cassette_path(s, "curl", directory_ + "/sub"), directory_ + "/tapes/curl.yaml");
  EXPECT_EQ(s.log_file, directory_ + "/c.log");
  s = loaded({{"CASSETTE", "x.yaml"}, {"CASSETTE_LOG", "info:c.log"}}, "/sub");
  EXPECT_EQ(*cassette_path(s, "curl", directory_ + "/sub"), directory_ + "/sub/x.yaml");
  EXPECT_EQ(s.log_file, directory_ + "/sub/c.log");
}

TEST_F(SettingsTest, SeveralCassettesAreAListInWhichACommaIsWrittenTwice) {
  auto texts = [](const Settings& s) {
    std::string all = s.cassette;
    for (const std::string& each : s.fallbacks) all += "|" + each;
    return all;
  };
  EXPECT_EQ(texts(loaded({{"CASSETTE", "new.yaml"}})), "new.yaml");
  EXPECT_EQ(texts(loaded({{"CASSETTE", "new.yaml,old.yaml , /x/{program}.json,"}})),
            "new.yaml|old.yaml|/x/{program}.json");
  EXPECT_EQ(texts(loaded({{"CASSETTE", "a,,b.yaml,c,,,,d.yaml"}})), "a,b.yaml|c,,d.yaml");
  write("a,b.yaml", "");
  EXPECT_EQ(texts(loaded({{"CASSETTE", "a,b.yaml"}})), "a,b.yaml") << "it is there";
  EXPECT_EQ(texts(loaded({{"CASSETTE", "a,b.yaml"}}, "/elsewhere")), "a|b.yaml");
  write(".cassette.yaml", "cassette: [new.yaml, 'x,y.yaml']\nno_record_status: [429, 5xx]\n");
  Settings s = loaded({}, "/sub");
  EXPECT_EQ(texts(s), "new.yaml|x,y.yaml");
  EXPECT_TRUE(s.no_record_status.contains(503));
  auto paths = fallback_paths(s, "p", "/elsewhere");
  ASSERT_TRUE(paths.ok());
  EXPECT_EQ(*paths, std::vector<std::string>{directory_ + "/x,y.yaml"});
}

TEST(FallbackPaths, NameEachOnceAndNotTheFirst) {
  Settings settings;
  settings.cassette = "{program}.yaml";
  settings.fallbacks = {"common.yaml", "./{program}.yaml", "x/../common.yaml", "{n}.yaml"};
  EXPECT_FALSE(fallback_paths(settings, "p", "/w").ok());
  settings.context = {{"n", "1"}};
  auto paths = fallback_paths(settings, "p", "/w");
  ASSERT_TRUE(paths.ok());
  EXPECT_EQ(*paths, (std::vector<std::string>{"/w/common.yaml", "/w/1.yaml"}));
}

TEST_F(SettingsTest, StateIsKeptWhereTheBaseDirectorySpecificationSays) {
  EXPECT_EQ(loaded({{"XDG_STATE_HOME", "/x"}, {"HOME", "/home/a"}}).state_dir, "/x/cassette");
  EXPECT_EQ(loaded({{"XDG_STATE_HOME", "relative"}, {"HOME", "/home/a"}}).state_dir,
            "/home/a/.local/state/cassette");
  EXPECT_EQ(loaded({{"HOME", "/home/a"}}).state_dir, "/home/a/.local/state/cassette");
  EXPECT_EQ(loaded({{"HOME", ""}}).state_dir, "/tmp/cassette-" + std::to_string(geteuid()));
  EXPECT_EQ(loaded({{"CASSETTE_STATE_DIR", "s"}, {"HOME", "/home/a"}}).state_dir,
            directory_ + "/s");
}

TEST(CassettePath, IsFilledAndMadeAbsolute) {
  struct Case {
    std::string cassette;
    std::string path;
  };
  Settings settings;
  settings.context = {
      {"branch", "feature/x"}, {"up", ".."}, {"dot", "."}, {"empty", ""}, {"v", "1.2"}};
  const std::vector<Case> cases = {
      {"cassettes/{program}.yaml", "/w/cassettes/curl.yaml"},
      {"{branch}/{program}-{v}.json", "/w/feature_x/curl-1.2.json"},
      {"a/{up}/{up}/b.yaml", "/w/a/_./_./b.yaml"},
      {"a/{dot}{dot}/b.yaml", "/w/a/__/b.yaml"},
      {"a/{empty}{up}/b.yaml", "/w/a/_./b.yaml"},
      {"../t/./x.yaml", "/t/x.yaml"},
      {"/abs/{program}", "/abs/curl"},
      {"dir/", "/w/dir/"},
      {"open{brace.yaml", "/w/open{brace.yaml"},
  };
  for (const Case& c : cases) {
    settings.cassette = c.cassette;
    auto path = cassette_path(settings, "curl", "/w");
    ASSERT_TRUE(path.ok()) << path.error().message;
    EXPECT_EQ(*path, c.path);
  }
  settings.cassette = "x/{program}.yaml";
  EXPECT_EQ(*cassette_path(settings, "../../etc/passwd", "/w"), "/w/x/_._.._etc_passwd.yaml");
}

TEST(CassettePath, AKeyThatNothingFillsIsAnErrorThatNamesIt) {
  Settings settings;
  settings.cassette = "c/{branch}.yaml";
  settings.context = {{"run", "1"}};
  auto path = cassette_path(settings, "curl", "/w");
  ASSERT_FALSE(path.ok());
  expect_in(path.error().message, "{branch}");
  expect_in(path.error().message, "c/{branch}.yaml");
  expect_in(path.error().message, "{program}, {run}");
}

TEST(HostList, NamesHostsPortsSubdomainsAndLocalhost) {
  struct Case {
    std::string patterns;
    std::string host;
    std::uint16_t port;
    bool contained;
  };
  const std::vector<Case> cases = {
      {"", "a.test", 80, false},
      {"a.test", "a.test", 80, true},
      {"a.test", "A.Test", 8080, true},
      {"A.TEST", "a.test.", 80, true},
      {"a.test.", "a.test", 80, true},
      {"a.test", "b.a.test", 80, false},
      {"a.test", "aa.test", 80, false},
      {"a.test:81", "a.test", 81, true},
      {"a.test:81", "a.test", 80, false},
      {"*.a.test", "b.a.test", 80, true},
      {"*.a.test", "c.b.a.test", 80, true},
      {"*.a.test", "a.test", 80, false},
      {"*.a.test", "ba.test", 80, false},
      {"*.a.test:81", "b.a.test", 80, false},
      {"*.a.test:81", "b.a.test", 81, true},
      {"x.test, a.test", "a.test", 80, true},
      {"localhost", "localhost", 80, true},
      {"localhost", "LOCALHOST", 80, true},
      {"localhost", "127.0.0.1", 80, true},
      {"localhost", "127.8.9.10", 80, true},
      {"localhost", "0.0.0.0", 80, true},
      {"localhost", "::1", 80, true},
      {"localhost", "[::1]", 80, true},
      {"localhost", "0:0:0:0:0:0:0:1", 80, true},
      {"localhost", "::ffff:127.0.0.1", 80, true},
      {"localhost", "127.a.test", 80, false},
      {"localhost", "10.0.0.1", 80, false},
      {"localhost:81", "127.0.0.1", 80, false},
      {"localhost:81", "127.0.0.1", 81, true},
      {"127.0.0.1", "localhost", 80, false},
      {"[2001:db8::1]:81", "2001:DB8:0::1", 81, true},
      {"[2001:db8::1]:81", "2001:db8::1", 80, false},
      {"[2001:db8::1]", "2001:db8::1", 80, true},
      {"2001:db8::1", "2001:db8::1", 80, true},
  };
  for (const Case& c : cases) {
    Environment environment{{"CASSETTE_ONLY_HOSTS", c.patterns}};
    auto settings = load_settings(reader(environment), "/");
    ASSERT_TRUE(settings.ok()) << settings.error().message;
    EXPECT_EQ(settings->only_hosts.contains(c.host, c.port), c.contained)
        << c.patterns << " / " << c.host << ":" << c.port;
  }
}

TEST(SettingNames, WordsAndEnumerationsHaveTheSameOrder) {
  EXPECT_EQ(name_of(RecordMode::kOnce), "once");
  EXPECT_EQ(name_of(RecordMode::kNewEpisodes), "new_episodes");
  EXPECT_EQ(name_of(RecordMode::kOff), "off");
  EXPECT_EQ(name_of(Order::kMatched), "matched");
  EXPECT_EQ(name_of(Order::kFirst), "first");
}

TEST(SettingNames, ALongValueCannotOverflowAMessage) {
  char message[64];
  const std::string value(10000, 'x');
  setting_error(message, sizeof message, "CASSETTE_MODE", *find_setting("CASSETTE_MODE"),
                value.c_str());
  EXPECT_EQ(std::string(message).size(), sizeof message - 1);
}

}  // namespace
}  // namespace cassette
