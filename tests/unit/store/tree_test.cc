// The name that a command line gives to a cassette.
#include "store/settings/tree.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace cassette {
namespace {

class ProgramNameTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/cassette-tree-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(directory_);
    for (const char* name : {"x.py", "x.rb", "x.pl", "app.js", "x.sh", "x.php", "x.lua", "conf"})
      std::ofstream(name) << "\n";
    for (const char* name : {"pkg", "lib", "ignore", "dir"})
      std::filesystem::create_directory(name);
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(directory_);
  }

  static std::string name_of(const std::string& command) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < command.size();) {
      const std::size_t end = std::min(command.find(' ', at), command.size());
      words.push_back(command.substr(at, end - at));
      at = end + 1;
    }
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    char name[128];
    program_name(static_cast<int>(argv.size()), argv.data(), name, sizeof name);
    return name;
  }

  std::string directory_;
  std::filesystem::path before_;
};

TEST_F(ProgramNameTest, IsThatOfWhatAnInterpreterRuns) {
  const std::pair<const char*, const char*> kCases[] = {
      {"/usr/bin/curl -s http://a/", "curl"},
      {"-bash", "bash"},
      {"python3 x.py -m pkg", "x.py"},
      {"python3 -m mod", "mod"},
      {"python3 -m pkg.mod x.py", "pkg.mod"},
      {"python3 -m pkg", "pkg"},
      {"/usr/bin/python3.11 -mpkg", "pkg"},
      {"python3 -Im mod", "mod"},
      {"python3 -W ignore x.py", "x.py"},
      {"python3 -Wignore x.py", "x.py"},
      {"python3 -uW ignore x.py", "x.py"},
      {"python3 -X dev -u -B x.py", "x.py"},
      {"python3 -W ignore -m mod", "mod"},
      {"python3 --check-hash-based-pycs never x.py", "x.py"},
      {"python3 -c code x.py", "python3"},
      {"python3 -uc code x.py", "python3"},
      {"python3 -", "python3"},
      {"python3", "python3"},
      {"python3 -- x.py", "x.py"},
      {"python3 dir/", "dir"},
      {"pypy3 -m mod", "mod"},
      {"node --require lib app.js", "app.js"},
      {"node -r lib app.js", "app.js"},
      {"node --require=lib --inspect app.js x.py", "app.js"},
      {"node --not-known-here nothing app.js", "app.js"},
      {"node -e code app.js", "node"},
      {"node -pe code app.js", "node"},
      {"node --eval code app.js", "node"},
      {"ruby -I lib x.rb", "x.rb"},
      {"ruby -Ilib -rjson -w x.rb", "x.rb"},
      {"ruby -r json x.rb", "x.rb"},
      {"ruby -ne code x.rb", "ruby"},
      {"perl -Ilib x.pl", "x.pl"},
      {"perl -I lib -MJSON -w x.pl", "x.pl"},
      {"perl -lane code x.pl", "perl"},
      {"perl -i.bak -pe code x.pl", "perl"},
      {"bash -c code x.sh", "bash"},
      {"bash -euo pipefail x.sh", "x.sh"},
      {"bash -o pipefail -c code", "bash"},
      {"bash +x x.sh", "x.sh"},
      {"sh - x.sh", "x.sh"},
      {"bash --rcfile conf x.sh", "x.sh"},
      {"sh -s conf", "sh"},
      {"php -d a=b x.php", "x.php"},
      {"php -r code x.php", "php"},
      {"php -f x.php", "x.php"},
      {"lua -l lib x.lua", "x.lua"},
      {"java -cp lib -Xmx1g com.example.Main conf", "com.example.Main"},
      {"java -jar lib/app.jar conf", "app.jar"},
      {"env A=1 -u B python3 -m mod", "mod"},
      {"env -i curl", "curl"},
      {"python3 not-there.py", "python3"},
      {"python3 -m a/b?c", "b_c"},
      {"", "program"},
  };
  for (const auto& [command, name] : kCases) EXPECT_EQ(name_of(command), name) << command;
}

}  // namespace
}  // namespace cassette
