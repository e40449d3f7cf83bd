// Which files are taken for bundles of certificates. What the environment and the arguments choose is noted
// once in the life of a process: tests about that ask in a child of their own.
#include "preload/hooks/files/bundles.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cassette {
namespace {

std::map<std::string, std::string> variables;
const char* variable(const char* name) {
  auto found = variables.find(name);
  return found == variables.end() ? nullptr : found->second.c_str();
}

/// A program's start: its environment, and its arguments (its name apart).
struct Start {
  std::map<std::string, std::string> environment = {};
  std::vector<std::string> arguments = {};
};

void note(const Start& start) {
  variables = start.environment;
  std::vector<std::string> words{"program"};
  words.insert(words.end(), start.arguments.begin(), start.arguments.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  note_chosen_bundles(variable, static_cast<int>(words.size()), arguments.data());
  // Neither has to stay as it was.
  for (std::string& word : words) word.assign(word.size(), 'x');
  for (auto& [name, value] : variables) value.assign(value.size(), 'x');
}

/// What `question` answers in a process that began like that.
template <typename Question>
std::string in_child(const Start& start, Question question) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    note(start);
    const std::string answer = question();
    const bool whole =
        write(ends[1], answer.data(), answer.size()) == static_cast<ssize_t>(answer.size());
    _exit(whole ? 0 : 1);
  }
  close(ends[1]);
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "the child";
  return answer;
}

const char* name_of(Bundle bundle) {
  switch (bundle) {
    case Bundle::kNone:
      return "none";
    case Bundle::kNamed:
      return "named";
    case Bundle::kChosen:
      return "chosen";
    case Bundle::kDefault:
      return "default";
    case Bundle::kAuthority:
      return "authority";
  }
  return "another";
}

/// What the paths are in a process that began like that, a word each.
std::string bundles_at(const Start& start, const std::vector<std::string>& paths) {
  return in_child(start, [&paths] {
    std::string all;
    for (const std::string& path : paths) {
      if (!all.empty()) all += ' ';
      all += name_of(bundle_at(path.c_str()));
    }
    return all;
  });
}

std::string password(const Start& start) {
  return in_child(start, []() -> std::string {
    const char* password = java_store_password();
    return password == nullptr ? "(none)" : password;
  });
}

std::string store_option(const std::string& path) { return "-Djavax.net.ssl.trustStore=" + path; }
std::string password_option(const std::string& word) {
  return "-Djavax.net.ssl.trustStorePassword=" + word;
}

// ---- names ----

TEST(Bundles, UsualNamesAreNamedInAnyFolder) {
  for (const char* name :
       {"ca-certificates.crt", "cacert.pem", "cacerts", "ca-bundle.crt", "ca-bundle.pem",
        "ca-root-nss.crt", "cacerts.pem", "cert.pem", "tls-ca-bundle.pem", "jssecacerts"}) {
    for (const char* folder : {"", "/", "./", "../", "certs/", "/etc/ssl/certs/", "//", "/a b/"}) {
      const std::string path = std::string(folder) + name;
      EXPECT_STREQ(name_of(bundle_at(path.c_str())), "named") << path;
    }
  }
}

TEST(Bundles, SimilarNamesAreNone) {
  for (const std::string name : {"ca-certificates.crt", "cacert.pem", "cacerts", "ca-bundle.crt",
                                 "cert.pem", "tls-ca-bundle.pem", "jssecacerts"}) {
    for (const std::string& other :
         {name + ".bak", name + "~", name + "/", name + "/x", "x" + name, "." + name,
          name.substr(1), name.substr(0, name.size() - 1), name + "\n", " " + name}) {
      EXPECT_STREQ(name_of(bundle_at(other.c_str())), "none") << other;
      EXPECT_STREQ(name_of(bundle_at(("/etc/ssl/" + other).c_str())), "none") << other;
    }
  }
  for (const char* other : {"CACERTS", "Cert.pem", "c", "t", "j", "cert", "tls", "java.policy",
                            "certificates.crt", "cassette.yaml", "cassette-authority.pem"})
    EXPECT_STREQ(name_of(bundle_at(other)), "none") << other;
}

TEST(Bundles, FoldersWithSuchNamesAreNone) {
  for (const char* path : {"/etc/ssl/", "cacerts/", "/cacerts/store", "cert.pem/cert.key", "/ssl",
                           "/etc/ssl/cert.pem/"})
    EXPECT_STREQ(name_of(bundle_at(path)), "none") << path;
}

TEST(Bundles, OpenSslsDefaultIsOneWhetherItIsThereOrNot) {
  for (const char* path : {"/usr/lib/ssl/cert.pem", "/etc/ssl/cert.pem", "/ssl/cert.pem",
                           "/opt/a b/ssl/cert.pem", "../ssl/cert.pem"})
    EXPECT_STREQ(name_of(bundle_at(path)), "default") << path;
  for (const char* path : {"ssl/cert.pem", "/etc/myssl/cert.pem", "/ssl/x/cert.pem",
                           "/ssl//cert.pem", "/SSL/cert.pem"})
    EXPECT_STREQ(name_of(bundle_at(path)), "named") << path;
  for (const char* path : {"/ssl/xcert.pem", "/ssl/cert.pem.old", "/etc/ssl/certs"})
    EXPECT_STREQ(name_of(bundle_at(path)), "none") << path;
}

TEST(Bundles, TheAuthoritysFileIsItUnderItsWholePathOnly) {
  EXPECT_STREQ(name_of(bundle_at(kAuthorityFile)), "authority");
  const std::string path = kAuthorityFile;
  for (const std::string& other :
       {path + "x", "/" + path, path.substr(1), path.substr(path.rfind('/') + 1), "/tmp" + path,
        path.substr(0, path.size() - 1), std::string("/proc/1/cassette-authority.pem")})
    EXPECT_STREQ(name_of(bundle_at(other.c_str())), "none") << other;
}

TEST(Bundles, AnEmptyPathIsNone) {
  EXPECT_STREQ(name_of(bundle_at("")), "none");
  EXPECT_STREQ(name_of(bundle_at("/")), "none");
  EXPECT_STREQ(name_of(bundle_at("//")), "none");
}

TEST(Bundles, VeryLongPathsAreLookedAtToTheirEnd) {
  for (std::size_t size : {4095UL, 4096UL, 70000UL, 1000000UL}) {
    const std::string folder = "/" + std::string(size, 'a') + "/";
    EXPECT_STREQ(name_of(bundle_at((folder + "cacerts").c_str())), "named") << size;
    EXPECT_STREQ(name_of(bundle_at((folder + "ssl/cert.pem").c_str())), "default") << size;
    EXPECT_STREQ(name_of(bundle_at((folder + "other").c_str())), "none") << size;
    EXPECT_STREQ(name_of(bundle_at(std::string(size, 'c').c_str())), "none") << size;
    EXPECT_STREQ(name_of(bundle_at(std::string(size, '/').c_str())), "none") << size;
  }
}

// ---- what the environment chooses ----

TEST(ChosenBundles, EachVariableChoosesItsFile) {
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name) {
    EXPECT_EQ(bundles_at({{{*name, "/my/roots"}}}, {"/my/roots", "/my/others", "roots"}),
              "chosen none none")
        << *name;
  }
}

TEST(ChosenBundles, AllVariablesTogether) {
  Start start;
  std::vector<std::string> paths;
  std::string expected;
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name) {
    paths.push_back(std::string("/roots/") + *name);
    start.environment[*name] = paths.back();
    expected += expected.empty() ? "chosen" : " chosen";
  }
  EXPECT_EQ(bundles_at(start, paths), expected);
}

TEST(ChosenBundles, OtherVariablesChooseNothing) {
  EXPECT_EQ(bundles_at({{{"SSL_CERT_DIR", "/a"}, {"HOME", "/b"}, {"ssl_cert_file", "/c"}}},
                       {"/a", "/b", "/c"}),
            "none none none");
}

TEST(ChosenBundles, AreThoseOfThatPathAlone) {
  EXPECT_EQ(bundles_at({{{"SSL_CERT_FILE", "/my/roots"}}},
                       {"/my/roots/", "/my//roots", "/my/root", "/my/rootss", "my/roots",
                        "/x/my/roots", "/MY/roots", ""}),
            "none none none none none none none none");
  EXPECT_EQ(bundles_at({{{"SSL_CERT_FILE", "roots"}}}, {"roots", "./roots", "/roots"}),
            "chosen none none");
}

TEST(ChosenBundles, ComeBeforeUsualNames) {
  EXPECT_EQ(bundles_at({{{"SSL_CERT_FILE", "/etc/ssl/cert.pem"}, {"CURL_CA_BUNDLE", "/a/cacerts"}}},
                       {"/etc/ssl/cert.pem", "/a/cacerts", "/usr/lib/ssl/cert.pem", "/b/cacerts"}),
            "chosen chosen default named");
}

TEST(ChosenBundles, AnEmptyVariableChoosesNothing) {
  EXPECT_EQ(bundles_at({{{"SSL_CERT_FILE", ""}, {"CURL_CA_BUNDLE", ""}}}, {"", "/", "x"}),
            "none none none");
}

TEST(ChosenBundles, TheAuthoritysFileStaysWhatItIs) {
  EXPECT_EQ(bundles_at({{{"NODE_EXTRA_CA_CERTS", kAuthorityFile}, {"SSL_CERT_FILE", "/mine"}}},
                       {kAuthorityFile, "/mine"}),
            "authority chosen");
}

TEST(ChosenBundles, VeryLongPathsToo) {
  const std::string path = "/" + std::string(100000, 'a');
  EXPECT_EQ(bundles_at({{{"SSL_CERT_FILE", path}}, {store_option(path + "/store")}},
                       {path, path + "/store", path + "a", path + "/", path.substr(0, 4096)}),
            "chosen chosen none none none");
}

TEST(ChosenBundles, OneFileTakesOnePlaceHoweverOftenItIsNamed) {
  Start start;
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name)
    start.environment[*name] = "/roots";
  for (int i = 0; i < 100; ++i) start.arguments.push_back(store_option("/roots"));
  start.arguments.push_back(store_option("/last"));
  EXPECT_EQ(bundles_at(start, {"/roots", "/last"}), "chosen chosen");
}

TEST(ChosenBundles, MoreThanThereIsRoomForAreLeftOut) {
  Start start{{{"SSL_CERT_FILE", "/first"}}};
  for (int i = 0; i < 1000; ++i) start.arguments.push_back(store_option("/" + std::to_string(i)));
  EXPECT_EQ(bundles_at(start, {"/first", "/0", "/999", "/x/cacerts"}), "chosen chosen none named");
}

// ---- what Java's options choose ----

TEST(JavaOptions, ChooseAStoreInTheArguments) {
  EXPECT_EQ(bundles_at({{}, {"-Xmx1g", store_option("/my store"), "-jar", "x.jar"}},
                       {"/my store", "x.jar", "/my"}),
            "chosen none none");
  EXPECT_EQ(password({{}, {"-Xmx1g", password_option("my word"), "-jar", "x.jar"}}), "my word");
}

TEST(JavaOptions, ChooseAStoreInEachVariable) {
  for (const char* name : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}) {
    const std::string options =
        "-Xmx1g \t" + store_option("/store") + "\n" + password_option("word") + "  -Dx=y ";
    EXPECT_EQ(bundles_at({{{name, options}}}, {"/store", "y"}), "chosen none") << name;
    EXPECT_EQ(password({{{name, options}}}), "word") << name;
  }
}

TEST(JavaOptions, TheVariableIsLeftAsItWas) {
  EXPECT_EQ(in_child({},
                     [] {
                       variables = {{"JAVA_TOOL_OPTIONS", "-Dx=y " + store_option("/store")}};
                       note_chosen_bundles(variable, 0, nullptr);
                       return variables["JAVA_TOOL_OPTIONS"];
                     }),
            "-Dx=y " + store_option("/store"));
}

TEST(JavaOptions, ThatAreSimilarOrEmptyChooseNothing) {
  const Start start{{},
                    {"-Djavax.net.ssl.trustStore", "-Djavax.net.ssl.trustStore=",
                     "-Djavax.net.ssl.keyStore=/key", "-Djavax.net.ssl.trustStoreType=/type",
                     "Djavax.net.ssl.trustStore=/one", "--Djavax.net.ssl.trustStore=/two",
                     "-djavax.net.ssl.trustStore=/three", "-D", "-", "", "/four"}};
  EXPECT_EQ(bundles_at(start, {"", "/key", "/type", "/one", "/two", "/three", "/four", "="}),
            "none none none none none none none none");
  EXPECT_EQ(password(start), "(none)");
  for (const char* options : {"", " ", "\t\n ", "-D", "-Djavax.net.ssl.trustStore="})
    EXPECT_EQ(bundles_at({{{"JAVA_TOOL_OPTIONS", options}}}, {"", " "}), "none none") << options;
}

TEST(JavaOptions, TheProgramsNameIsNone) {
  EXPECT_EQ(in_child({},
                     [] {
                       std::string name = store_option("/store");
                       char* arguments[] = {name.data(), nullptr};
                       note_chosen_bundles(variable, 1, arguments);
                       return name_of(bundle_at("/store"));
                     }),
            "none");
}

TEST(JavaOptions, MissingArgumentsAreEndured) {
  EXPECT_EQ(in_child({},
                     [] {
                       std::string last = store_option("/store");
                       char* arguments[] = {nullptr, nullptr, last.data(), nullptr};
                       note_chosen_bundles(variable, 0, nullptr);
                       note_chosen_bundles(variable, 3, arguments);
                       return name_of(bundle_at("/store"));
                     }),
            "chosen");
}

TEST(JavaOptions, APasswordMayBeEmptyOrHaveAnEqualsSign) {
  EXPECT_EQ(password({}), "(none)");
  EXPECT_EQ(password({{}, {password_option("")}}), "");
  EXPECT_EQ(password({{}, {password_option("a=b=")}}), "a=b=");
}

TEST(JavaOptions, ArgumentsComeBeforeJavaToolOptions) {
  EXPECT_EQ(
      password({{{"JAVA_TOOL_OPTIONS", password_option("other")}}, {password_option("mine")}}),
      "mine");
}

TEST(JavaOptions, TheLastOfTheSameNameCounts) {
  EXPECT_EQ(password({{}, {password_option("one"), password_option("two")}}), "two");
  EXPECT_EQ(
      password({{{"JAVA_TOOL_OPTIONS", password_option("one") + " " + password_option("two")}}}),
      "two");
}

TEST(JavaOptions, OneVariableComesBeforeTheArgumentsAndAnotherBehindThem) {
  // JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS, the arguments, _JAVA_OPTIONS: the later one counts.
  Start start{{{"JAVA_TOOL_OPTIONS", password_option("tool")}}, {}};
  EXPECT_EQ(password(start), "tool");
  start.environment["JDK_JAVA_OPTIONS"] = password_option("jdk");
  EXPECT_EQ(password(start), "jdk");
  start.arguments = {password_option("argument")};
  EXPECT_EQ(password(start), "argument");
  start.environment["_JAVA_OPTIONS"] = password_option("underscore");
  EXPECT_EQ(password(start), "underscore");
}

TEST(JavaOptions, MayBeQuotedInAVariable) {
  const std::string options =
      "'" + store_option("/my folder/store") + "' " + password_option("\"my word\"");
  for (const char* name : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}) {
    EXPECT_EQ(bundles_at({{{name, options}}}, {"/my folder/store"}), "chosen") << name;
    EXPECT_EQ(password({{{name, options}}}), "my word") << name;
  }
}

}  // namespace
}  // namespace cassette
