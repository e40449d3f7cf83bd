// The logger: one message, one line; nothing lost, nothing changed in the program that it runs in.
#include "store/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace cassette {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "log-test.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    file_ = directory_ + "/log";
  }
  ~LogTest() override {
    configure_log(LogLevel::kWarn, "");
    std::filesystem::remove_all(directory_);
  }

  std::string text() const {
    std::ostringstream out;
    out << std::ifstream(file_).rdbuf();
    return out.str();
  }

  std::string directory_;
  std::string file_;
};

TEST_F(LogTest, SaysWarningsOnStderrBeforeAnybodyConfiguredIt) {
  testing::internal::CaptureStderr();
  log(LogLevel::kWarn, "a warning");
  log(LogLevel::kError, "an error");
  log(LogLevel::kInfo, "too much");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "cassette: a warning\ncassette: an error\n");
}

TEST_F(LogTest, TheLevelDecidesWhatIsTold) {
  const std::vector<LogLevel> levels = {LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo,
                                        LogLevel::kDebug};
  for (LogLevel configured :
       {LogLevel::kOff, LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo, LogLevel::kDebug}) {
    configure_log(configured, file_);
    EXPECT_FALSE(log_enabled(LogLevel::kOff));
    for (LogLevel level : levels) EXPECT_EQ(log_enabled(level), level <= configured);
  }
}

TEST_F(LogTest, WritesToItsFileWhenItHasOne) {
  configure_log(LogLevel::kDebug, file_);
  log(LogLevel::kDebug, "one");
  log(LogLevel::kInfo, "two");
  EXPECT_EQ(text(), "cassette: one\ncassette: two\n");
}

TEST_F(LogTest, TellsStderrWhatItsFileDoesNotTake) {
  configure_log(LogLevel::kWarn, directory_ + "/absent/log");
  testing::internal::CaptureStderr();
  log(LogLevel::kWarn, "still told");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "cassette: still told\n");
}

TEST_F(LogTest, EveryLineOfADiagnosisHasItsPrefix) {
  configure_log(LogLevel::kWarn, file_);
  log(LogLevel::kWarn, "first\n  second\n");
  EXPECT_EQ(text(), "cassette: first\ncassette:   second\n");
}

TEST_F(LogTest, ControlCharactersCannotForgeALineOrSteerATerminal) {
  configure_log(LogLevel::kWarn, file_);
  log(LogLevel::kWarn, std::string_view("a\rb\x1b[2Jc\0d\x7f \xc3\xa4", 14));
  EXPECT_EQ(text(), "cassette: a\\x0db\\x1b[2Jc\\x00d\\x7f \xc3\xa4\n");
}

TEST_F(LogTest, ALongLineIsWhole) {
  configure_log(LogLevel::kWarn, file_);
  const std::string message(20000, 'x');
  log(LogLevel::kWarn, message);
  EXPECT_EQ(text(), "cassette: " + message + "\n");
}

TEST_F(LogTest, ChangesNoErrno) {
  configure_log(LogLevel::kWarn, directory_ + "/absent/log");
  testing::internal::CaptureStderr();
  errno = ENOTTY;
  log(LogLevel::kWarn, "x");
  EXPECT_EQ(errno, ENOTTY);
  testing::internal::GetCapturedStderr();
}

TEST_F(LogTest, HoldsNoDescriptor) {
  configure_log(LogLevel::kWarn, file_);
  const int before = dup(0);
  close(before);
  log(LogLevel::kWarn, "x");
  const int after = dup(0);
  close(after);
  EXPECT_EQ(before, after);
}

TEST_F(LogTest, APipeWithoutReaderDoesNotEndTheProgram) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  close(pipe[0]);
  const int saved = dup(STDERR_FILENO);
  dup2(pipe[1], STDERR_FILENO);
  log(LogLevel::kWarn, "to nobody");
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(pipe[1]);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0);
}

TEST_F(LogTest, LinesOfManyThreadsDoNotMix) {
  configure_log(LogLevel::kWarn, file_);
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 100; ++i)
        log(LogLevel::kWarn, std::string(100, static_cast<char>('a' + t)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::istringstream lines(text());
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    ++count;
    ASSERT_EQ(line.size(), 110u);
    EXPECT_EQ(line.find_first_not_of(line.back(), 10), std::string::npos) << line;
  }
  EXPECT_EQ(count, 800);
}

}  // namespace
}  // namespace cassette
