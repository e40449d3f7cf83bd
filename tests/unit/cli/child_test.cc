// Programs are found, started and waited for as a shell would.
#include "cli/child.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "cli/find_program.h"
#include "tests/unit/cli/temporary_directory.h"

namespace cassette {
namespace {

int status_of(const std::string& script, const std::vector<std::string>& variables = {}) {
  std::vector<const char*> entries;
  for (const std::string& variable : variables) entries.push_back(variable.c_str());
  entries.push_back(nullptr);
  auto end = run_program("/bin/sh", {"sh", "-c", script}, Environment(entries.data()));
  EXPECT_TRUE(end.ok());
  return end ? end->status : -1;
}

TEST(Child, StatusIsTheProgramsOwn) {
  EXPECT_EQ(status_of("exit 0"), 0);
  EXPECT_EQ(status_of("exit 7"), 7);
  EXPECT_EQ(status_of("kill -TERM $$"), 128 + SIGTERM);
}

TEST(Child, EnvironmentIsTheGivenOne) {
  EXPECT_EQ(status_of("test \"$A\" = 1 && test -z \"$HOME\"", {"A=1"}), 0);
}

TEST(Child, WhatIsNoProgramGoesToTheShell) {
  TemporaryDirectory directory;
  auto end =
      run_program(directory.file("script", "exit $1\n"), {"script", "5"}, Environment(nullptr));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->start_error, 0);
  EXPECT_EQ(end->status, 5);
}

TEST(Child, StartErrorIsToldApart) {
  TemporaryDirectory directory;
  auto missing = run_program("/no/such", {"x"}, Environment(nullptr));
  ASSERT_TRUE(missing.ok());
  EXPECT_EQ(missing->start_error, ENOENT);
  auto interpreter = run_program(directory.file("s", "#!/no/such\n"), {"s"}, Environment(nullptr));
  ASSERT_TRUE(interpreter.ok());
  EXPECT_EQ(interpreter->start_error, ENOENT);
}

/// Runs `body` in a process of its own, and gives back its exit status.
template <typename Body>
int in_child(Body body) {
  pid_t child = fork();
  if (child == 0) {
    // However the tests were started: in the background of a shell some of these are ignored.
    for (int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGPIPE})
      std::signal(signal, SIG_DFL);
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Child, SignalsAreForwarded) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP()
      << "ThreadSanitizer calls a handler only when the waitid() that it interrupts is over";
#endif
  for (const char* signal : {"TERM", "HUP", "INT", "QUIT", "USR1"}) {
    const std::string script = std::string("trap 'exit 9' ") + signal + "; kill -" + signal +
                               " $PPID; i=0; while [ $i -lt 100 ]; do sleep 0.05; i=$((i+1)); done";
    EXPECT_EQ(in_child([&] { return status_of(script, {"PATH=/usr/bin:/bin"}); }), 9) << signal;
  }
}

TEST(Child, DispositionsAndMaskAreInherited) {
  EXPECT_EQ(in_child([] {
              std::signal(SIGHUP, SIG_IGN);
              return status_of("kill -HUP $$; exit 4");
            }),
            4);
  for (int signal : {SIGINT, SIGTERM, SIGPIPE}) {
    const std::string script = "kill -" + std::to_string(signal) + " $$; exit 4";
    EXPECT_EQ(in_child([&script] { return status_of(script); }), 128 + signal);
  }
}

TEST(Child, OurDispositionsComeBack) {
  EXPECT_EQ(in_child([] {
              status_of("true");
              struct sigaction action {};
              sigaction(SIGTERM, nullptr, &action);
              sigset_t mask;
              sigprocmask(SIG_BLOCK, nullptr, &mask);
              return action.sa_handler == SIG_DFL && sigismember(&mask, SIGTERM) == 0 ? 0 : 1;
            }),
            0);
}

TEST(FindProgram, AlongThePath) {
  TemporaryDirectory directory;
  directory.file("a/tool", "x", 0644);
  const std::string good = directory.file("b/tool", "x");
  const std::string a = directory.path() + "/a";
  const std::string b = directory.path() + "/b";
  EXPECT_EQ(find_program("tool", (a + ":" + b).c_str()).path, good);
  EXPECT_EQ(find_program("tool", (a + ":" + b).c_str()).error, 0);
  EXPECT_EQ(find_program("tool", a.c_str()).error, EACCES);
  EXPECT_EQ(find_program("other", b.c_str()).error, ENOENT);
  EXPECT_EQ(find_program("", b.c_str()).error, ENOENT);
  EXPECT_EQ(find_program("sh", nullptr).error, 0);
}

TEST(FindProgram, ByPath) {
  TemporaryDirectory directory;
  EXPECT_EQ(find_program("/no/such", "/bin").error, ENOENT);
  EXPECT_EQ(find_program(directory.path(), "/bin").error, EACCES);
  EXPECT_EQ(find_program(directory.file("plain", "x", 0644), "/bin").error, EACCES);
  EXPECT_EQ(find_program(directory.path() + "/plain/x", "/bin").error, ENOTDIR);
  EXPECT_TRUE(means_not_found(ENOENT));
  EXPECT_TRUE(means_not_found(ENOTDIR));
  EXPECT_FALSE(means_not_found(EACCES));
}

}  // namespace
}  // namespace cassette
