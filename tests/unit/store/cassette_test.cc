// Cassettes by path: forms, ids, loading and saving of files and directories.
#include "store/cassette.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "store/formats/directory.h"
#include "store/formats/json.h"
#include "store/formats/yaml.h"
#include "tests/unit/store/formats_fixture.h"

namespace cassette {
namespace {

class CassetteTest : public DirectoryTest {
 protected:
  static std::string message(const Result<Cassette>& result) {
    return result.ok() ? "no error" : result.error().message;
  }
  static void save(const std::string& path, Cassette& cassette) {
    auto saved = save_cassette(path, cassette);
    ASSERT_TRUE(saved.ok()) << saved.error().message;
  }
  static Cassette load(const std::string& path) {
    auto loaded = load_cassette(path);
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    return loaded.ok() ? *loaded : Cassette();
  }
  static std::vector<std::string> bodies(const Cassette& cassette) {
    std::vector<std::string> result;
    for (const Interaction& interaction : cassette.interactions) {
      result.push_back(interaction.response.body);
    }
    return result;
  }
};

TEST_F(CassetteTest, ThePathChoosesTheForm) {
  auto form = [&](const std::string& path) {
    auto result = cassette_form(path);
    if (!result) return std::string("error");
    switch (*result) {
      case CassetteForm::kYaml:
        return std::string("yaml");
      case CassetteForm::kJson:
        return std::string("json");
      case CassetteForm::kDirectory:
        return std::string("directory");
    }
    return std::string("?");
  };
  EXPECT_EQ(form("a/b.yaml"), "yaml");
  EXPECT_EQ(form("a/b.yml"), "yaml");
  EXPECT_EQ(form("a.b/c.json"), "json");
  EXPECT_EQ(form("a.b/c"), "directory");
  EXPECT_EQ(form("a/b.yaml/"), "directory");
  EXPECT_EQ(form("."), "directory");
  EXPECT_EQ(form(".."), "directory");
  EXPECT_EQ(form(".cassettes"), "directory");
  EXPECT_EQ(form("a.txt"), "error");
  EXPECT_EQ(form(""), "error");
  std::filesystem::create_directory(path("v1.2"));
  EXPECT_EQ(form(path("v1.2")), "directory");
}

TEST_F(CassetteTest, ExistsEvenWhenItIsBroken) {
  EXPECT_FALSE(cassette_exists(path("none.yaml")));
  EXPECT_FALSE(cassette_exists(path("no/ne.yaml")));
  write("broken.yaml", "[");
  EXPECT_TRUE(cassette_exists(path("broken.yaml")));
  EXPECT_TRUE(cassette_exists(directory_));
}

TEST_F(CassetteTest, DoesNotExistWhenItIsEmpty) {
  write("c.yaml", "");
  EXPECT_FALSE(cassette_exists(path("c.yaml")));
  write("c.json", "\n");
  EXPECT_TRUE(cassette_exists(path("c.json"))) << "that is not empty";
  std::filesystem::create_directory(path("directory"));
  EXPECT_FALSE(cassette_exists(path("directory")));
  write("directory/README", "text");
  write("directory/.gitkeep", "");
  EXPECT_FALSE(cassette_exists(path("directory")));
  write("directory/a.json", "");
  EXPECT_TRUE(cassette_exists(path("directory")));
  // What can never be a cassette there is something.
  std::filesystem::create_directory(path("d.yaml"));
  EXPECT_TRUE(cassette_exists(path("d.yaml")));
  write("file", "");
  EXPECT_TRUE(cassette_exists(path("file")));
}

TEST_F(CassetteTest, SaysWhatIsWrongWithThePath) {
  EXPECT_EQ(message(load_cassette(path("none.yaml"))),
            "cannot read " + path("none.yaml") + ": No such file or directory");
  std::filesystem::create_directory(path("d.yaml"));
  EXPECT_EQ(message(load_cassette(path("d.yaml"))),
            path("d.yaml") + ": a directory, where its name (.yaml) promises a file");
  Cassette none;
  EXPECT_FALSE(save_cassette(path("d.yaml"), none).ok());
  write("file", "x");
  EXPECT_FALSE(save_cassette(path("file"), none).ok());
  EXPECT_EQ(message(load_cassette(path("file"))),
            path("file") +
                ": a file, where a directory is expected (a cassette file ends in .yaml, .yml "
                "or .json)");
  EXPECT_EQ(message(load_cassette(path("x.har"))),
            path("x.har") +
                ": a cassette is a file that ends in .yaml, .yml or .json, or a directory (no "
                "extension); this ends in .har");
  write("bad.yaml", "interactions:\n- request: 1\n");
  EXPECT_EQ(message(load_cassette(path("bad.yaml"))), path("bad.yaml") + ":2: `request` is no map");
}

TEST_F(CassetteTest, FilesKeepTheInteractionsAndTheirIds) {
  RandomInteractions random(3);
  Cassette cassette;
  for (int i = 0; i < 50; ++i) cassette.interactions.push_back(random.next());
  cassette.interactions.push_back(cassette.interactions[0]);  // an equal one gets an id of its own
  save(path("deep/er/c.yaml"), cassette);
  save(path("c.json"), cassette);
  Cassette yaml = load(path("deep/er/c.yaml")), json = load(path("c.json"));
  ASSERT_EQ(yaml.interactions.size(), 51u);
  ASSERT_EQ(json.interactions.size(), 51u);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < 51; ++i) {
    EXPECT_EQ(difference(yaml.interactions[i], cassette.interactions[i]), "");
    EXPECT_EQ(difference(json.interactions[i], cassette.interactions[i]), "");
    EXPECT_EQ(yaml.interactions[i].id, json.interactions[i].id);
    EXPECT_EQ(yaml.interactions[i].id.size(), 16u);
    ids.push_back(yaml.interactions[i].id);
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  // Saved again, the bytes are the same.
  std::string before = read(path("deep/er/c.yaml"));
  save(path("deep/er/c.yaml"), yaml);
  EXPECT_EQ(read(path("deep/er/c.yaml")), before);
}

// An id is what people note down and what usage records refer to: it must not change with the version.
TEST_F(CassetteTest, IdsAreTheSameForever) {
  Cassette cassette{{sample_interaction()}};
  save(path("c.yaml"), cassette);
  EXPECT_EQ(load(path("c.yaml")).interactions[0].id, "e8e88e7cad6a6188");
}

TEST_F(CassetteTest, AnErrorLeavesTheOldCassette) {
  write("c.yaml", "interactions: []\n");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 4096;
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  Cassette cassette{{sample_interaction("http://h/", "small"),
                     sample_interaction("http://h/2", std::string(100000, 'x'))}};
  auto to_file = save_cassette(path("c.yaml"), cassette);
  auto to_directory = save_cassette(path("d"), cassette);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(to_file.ok());
  EXPECT_FALSE(to_directory.ok());
  EXPECT_EQ(read(path("c.yaml")), "interactions: []\n");
  EXPECT_EQ(names(), (std::vector<std::string>{"c.yaml", "d"}));
  EXPECT_TRUE(names("d").empty());
  EXPECT_EQ(cassette.interactions[0].file, "");
}

TEST_F(CassetteTest, DirectoryHasAFileForEach) {
  Cassette cassette;
  for (int i = 0; i < 12; ++i) {
    cassette.interactions.push_back(sample_interaction("http://h/p?q=1", std::to_string(i)));
    cassette.interactions.back().recorded_at = 1000 + (i % 3);
  }
  cassette.interactions[5].uri = "https://Example.org:8443/a b/../c";
  cassette.interactions[5].request.method = "POST";
  save(path("d"), cassette);
  EXPECT_EQ(cassette.interactions[0].file.substr(0, 14),
            "GET_h_80_p_" + cassette.interactions[0].file.substr(11, 3));
  EXPECT_EQ(cassette.interactions[1].file, cassette.interactions[0].file.substr(0, 27) + "_2.json");
  EXPECT_EQ(cassette.interactions[11].file,
            cassette.interactions[0].file.substr(0, 27) + "_11.json");
  EXPECT_EQ(cassette.interactions[5].file.find("POST_Example.org_8443_a_b_.._c_"), 0u);
  EXPECT_EQ(names("d").size(), 12u);

  // By the time of recording, then by number.
  Cassette loaded = load(path("d"));
  EXPECT_EQ(bodies(loaded), (std::vector<std::string>{"0", "3", "6", "9", "1", "4", "7", "10", "2",
                                                      "8", "11", "5"}));
  EXPECT_EQ(loaded.interactions[0].id, loaded.interactions[0].file);

  // What is gone goes, what is new comes, the rest is not touched.
  std::string kept = path("d/" + loaded.interactions[3].file);
  write("d/" + loaded.interactions[3].file, interaction_to_json(loaded.interactions[3], false));
  write("d/README.md", "mine");
  write("d/package.json", "{\"name\": \"not an interaction\"}");
  write("d/.hidden.json", "mine");
  std::string compact = read(kept);
  loaded.interactions.erase(loaded.interactions.begin(), loaded.interactions.begin() + 2);
  loaded.interactions.push_back(sample_interaction("http://new/"));
  save(path("d"), loaded);
  EXPECT_EQ(read(kept), compact);
  std::filesystem::remove(path("d/package.json"));
  EXPECT_EQ(load(path("d")).interactions.size(), 11u);
  EXPECT_EQ(names("d").size(), 13u);
}

TEST_F(CassetteTest, RemovesNoFileThatIsNoInteraction) {
  write("d/package.json", "{\"name\": \"mine\"}");
  write("d/broken.json", "{");
  Cassette cassette{{sample_interaction()}};
  save(path("d"), cassette);
  EXPECT_EQ(names("d").size(), 3u);
  EXPECT_EQ(message(load_cassette(path("d"))).find(path("d/broken.json") + ":"), 0u);
}

TEST_F(CassetteTest, DirectoryReadsYamlToo) {
  Interaction first = sample_interaction("http://h/1", "1"),
              second = sample_interaction("http://h/2", "2");
  first.recorded_at = 1;
  second.recorded_at = 2;
  write("d/z.yaml", interactions_to_yaml({first}));
  write("d/a.yml", interactions_to_yaml({second}));
  std::string bare = interactions_to_yaml({sample_interaction("http://h/0", "0")});
  // One interaction by itself: without the list around it.
  std::istringstream lines(bare);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 2 && line.substr(0, 2) != "in" && line.substr(0, 2) != "ve")
      text += line.substr(2) + "\n";
  }
  write("d/b.yaml", text);
  write("d/x.txt", "ignored");
  std::filesystem::create_directory(path("d/sub.json"));
  EXPECT_EQ(bodies(load(path("d"))), (std::vector<std::string>{"0", "1", "2"}));
}

// They were passed over: an interaction that cannot be read was taken for one that was never recorded.
TEST_F(CassetteTest, ADirectoryWithAPipeADeviceOrALinkToNowhereIsAnError) {
  std::filesystem::create_directory(path("d"));
  auto message = [&] { return load_cassette(path("d")).error().message; };
  ASSERT_EQ(mkfifo(path("d/x.json").c_str(), 0600), 0);
  EXPECT_EQ(message(), "cannot read " + path("d/x.json") + ": it is not a regular file");
  std::filesystem::remove(path("d/x.json"));
  ASSERT_EQ(symlink("/dev/zero", path("d/x.json").c_str()), 0);
  EXPECT_EQ(message(), "cannot read " + path("d/x.json") + ": it is not a regular file");
  std::filesystem::remove(path("d/x.json"));
  ASSERT_EQ(symlink("nowhere", path("d/x.json").c_str()), 0);
  EXPECT_EQ(message(), "cannot read " + path("d/x.json") + ": No such file or directory");
}

TEST_F(CassetteTest, FileNamesAreTame) {
  auto name = [](const std::string& method, const std::string& uri) {
    Interaction interaction = sample_interaction(uri);
    interaction.request.method = method;
    std::string result = interaction_file_name(interaction);
    return result.substr(0, result.size() - 16);
  };
  EXPECT_EQ(name("GET", "http://h/"), "GET_h_80_");
  EXPECT_EQ(name("GET", "https://h/a/b.c?q=1"), "GET_h_443_a_b.c_");
  EXPECT_EQ(name("GET", "http://[::1]:81/"), "GET___1_81_");
  EXPECT_EQ(name("..", "http://h/../../etc"), "_.._h_80_.._.._etc_");
  EXPECT_EQ(name("GET", "no uri/\n\xFF"), "GET_no_uri___");
  EXPECT_LT(
      name(std::string(500, 'M'), "http://" + std::string(500, 'h') + "/" + std::string(5000, 'p'))
          .size(),
      220u);
}

}  // namespace
}  // namespace cassette
