// Whole files in and out, and what is left behind when that goes wrong.
#include "store/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "tests/unit/store/formats_fixture.h"

namespace cassette {
namespace {

class FilesTest : public DirectoryTest {
 protected:
  static mode_t mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  /// Runs it where no file can grow beyond `limit`, as on a full disk; gives the message of its error.
  static std::string on_a_full_disk(rlim_t limit, const std::function<Result<void>()>& work) {
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    rlimit small = old;
    small.rlim_cur = limit;
    auto* handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    Result<void> result = work();
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    return result.ok() ? "" : result.error().message;
  }

  static void write_ok(const std::string& path, std::string_view bytes) {
    auto written = write_file_atomically(path, bytes);
    ASSERT_TRUE(written.ok()) << written.error().message;
  }
};

TEST_F(FilesTest, WritesAndReads) {
  std::string bytes;
  for (int i = 0; i < 300000; ++i) bytes += static_cast<char>(i);
  for (const std::string& each : {std::string(), std::string("x"), bytes}) {
    write_ok(path("f"), each);
    auto read = read_file(path("f"));
    ASSERT_TRUE(read.ok());
    EXPECT_TRUE(*read == each);
  }
  EXPECT_EQ(names(), std::vector<std::string>{"f"});
}

TEST_F(FilesTest, ReadsFilesWhoseSizeTheSystemDoesNotTell) {
  auto read = read_file("/proc/self/status");
  ASSERT_TRUE(read.ok());
  EXPECT_NE(read->find("Name:"), std::string::npos);
}

TEST_F(FilesTest, ANewFileFollowsTheUmaskAndAnOldOneKeepsItsMode) {
  mode_t old = umask(027);
  write_ok(path("new"), "x");
  umask(old);
  EXPECT_EQ(mode_of(path("new")), 0640u);
  ASSERT_EQ(chmod(path("new").c_str(), 0604), 0);
  write_ok(path("new"), "y");
  EXPECT_EQ(mode_of(path("new")), 0604u);
}

TEST_F(FilesTest, FollowsLinks) {
  std::filesystem::create_directory(path("d"));
  write("d/target", "old");
  ASSERT_EQ(symlink("d/target", path("link").c_str()), 0);
  ASSERT_EQ(symlink("link", path("link2").c_str()), 0);
  write_ok(path("link2"), "new");
  EXPECT_EQ(read(path("d/target")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link2")));
  EXPECT_EQ(names("d"), std::vector<std::string>{"target"});
  // A link to nothing yet makes the file where it points.
  ASSERT_EQ(symlink((path("d") + "/fresh").c_str(), path("dangling").c_str()), 0);
  write_ok(path("dangling"), "x");
  EXPECT_EQ(read(path("d/fresh")), "x");
  // A circle is an error.
  ASSERT_EQ(symlink("circle", path("circle").c_str()), 0);
  EXPECT_FALSE(write_file_atomically(path("circle"), "x").ok());
}

TEST_F(FilesTest, AFullDiskLeavesTheOldFile) {
  write("f", "old");
  std::string message = on_a_full_disk(
      4096, [&] { return write_file_atomically(path("f"), std::string(100000, 'x')); });
  EXPECT_EQ(message, "cannot write " + path("f") + ": File too large");
  EXPECT_EQ(read(path("f")), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"f"});
}

TEST_F(FilesTest, ABatchIsAllOrNothing) {
  write("a", "old");
  std::string message = on_a_full_disk(4096, [&]() -> Result<void> {
    FileBatch batch(directory_);
    for (const char* name : {"a", "b"}) {
      if (auto added = batch.add(name, "small"); !added) return added;
    }
    if (auto added = batch.add("c", std::string(100000, 'x')); !added) return added;
    return batch.commit();
  });
  EXPECT_EQ(message, "cannot write " + path("c") + ": File too large");
  EXPECT_EQ(read(path("a")), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});

  FileBatch batch(directory_);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(batch.add(std::to_string(i), std::to_string(i)).ok());
  EXPECT_FALSE(std::filesystem::exists(path("0")));
  ASSERT_TRUE(batch.commit().ok());
  EXPECT_EQ(names().size(), 21u);
  EXPECT_EQ(read(path("19")), "19");
}

// It was "std::bad_alloc", or the end of the machine's memory.
TEST_F(FilesTest, AFileOfTerabytesIsNotRead) {
  write("sparse", "");
  std::filesystem::resize_file(path("sparse"), std::uintmax_t{1} << 42);
  EXPECT_EQ(read_file(path("sparse")).error().message,
            "cannot read " + path("sparse") +
                ": it has 4398046511104 bytes, and no more than 4294967296 are read");
}

TEST_F(FilesTest, SaysWhyItCannot) {
  auto message = [](const auto& result) { return result.ok() ? "" : result.error().message; };
  std::filesystem::create_directory(path("d"));
  write("plain", "x");
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(message(read_file(path("none"))),
            "cannot read " + path("none") + ": No such file or directory");
  EXPECT_EQ(message(read_file(path("d"))), "cannot read " + path("d") + ": Is a directory");
  EXPECT_EQ(message(read_file(path("fifo"))),
            "cannot read " + path("fifo") + ": it is not a regular file");
  EXPECT_EQ(message(write_file_atomically(path("d"), "")),
            "cannot write " + path("d") + ": Is a directory");
  EXPECT_EQ(message(write_file_atomically(path("fifo"), "")),
            "cannot write " + path("fifo") + ": it is not a regular file");
  EXPECT_EQ(message(write_file_atomically(path("plain/x"), "")),
            "cannot write " + path("plain/x") + ": Not a directory");
  EXPECT_EQ(message(write_file_atomically(path("no/x"), "")),
            "cannot write " + path("no/x") + ": No such file or directory");
  EXPECT_EQ(message(make_directories(path("plain/x"))),
            "cannot make the directory " + path("plain/x") + ": Not a directory");
}

TEST_F(FilesTest, RespectsProtection) {
  write("f", "old");
  std::filesystem::create_directory(path("d"));
  ASSERT_EQ(chmod(path("f").c_str(), 0444), 0);
  ASSERT_EQ(chmod(path("d").c_str(), 0555), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  // As root nothing is protected: tried as somebody else, in a child.
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(9);
    bool refused = !write_file_atomically(path("f"), "new").ok() &&
                   !write_file_atomically(path("d/new"), "new").ok() &&
                   !make_directories(path("d/e")).ok();
    _exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read(path("f")), "old");
}

TEST_F(FilesTest, MakesDirectories) {
  ASSERT_TRUE(make_directories(path("a/b/c/")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(path("a/b/c")));
  EXPECT_TRUE(make_directories(path("a/b")).ok());
  EXPECT_TRUE(make_directories(".").ok());
  EXPECT_TRUE(make_directories("/").ok());
  EXPECT_EQ(directory_of("/a/b.yaml"), "/a");
  EXPECT_EQ(directory_of("b.yaml"), ".");
  EXPECT_EQ(directory_of("/b.yaml"), "/");
}

}  // namespace
}  // namespace cassette
