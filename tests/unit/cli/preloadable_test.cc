// What `cassette run` must refuse, and what it must not. The program files are made here: they are looked at,
// never started.
#include "cli/preloadable.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "tests/unit/cli/temporary_directory.h"

namespace cassette {
namespace {

/// The bytes of this test's own binary are a program that can be preloaded; its head is what the others
/// are made of.
struct Program {
  ElfW(Ehdr) header{};
  std::string interpreter;

  Program() {
    std::ifstream self("/proc/self/exe", std::ios::binary);
    self.read(reinterpret_cast<char*>(&header), sizeof header);
    for (int i = 0; i < header.e_phnum; ++i) {
      ElfW(Phdr) segment;
      self.seekg(static_cast<std::streamoff>(header.e_phoff) + i * header.e_phentsize);
      self.read(reinterpret_cast<char*>(&segment), sizeof segment);
      if (segment.p_type != PT_INTERP) continue;
      interpreter.resize(segment.p_filesz);
      self.seekg(static_cast<std::streamoff>(segment.p_offset));
      self.read(interpreter.data(), static_cast<std::streamsize>(interpreter.size()));
      interpreter.resize(std::strlen(interpreter.c_str()));
    }
  }

  /// A head, one segment, and the interpreter's name if there is one.
  std::string bytes() const {
    ElfW(Ehdr) own = header;
    own.e_phoff = sizeof own;
    own.e_phnum = 1;
    own.e_phentsize = sizeof(ElfW(Phdr));
    ElfW(Phdr) segment{};
    segment.p_type = interpreter.empty() ? PT_LOAD : PT_INTERP;
    segment.p_offset = sizeof own + sizeof segment;
    segment.p_filesz = interpreter.size() + 1;
    std::string bytes(reinterpret_cast<const char*>(&own), sizeof own);
    bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    return bytes + interpreter + '\0';
  }
};

class Preloadable : public testing::Test {
 protected:
  std::string reason(const std::string& path, const char* search_path = "/usr/bin:/bin") const {
    return why_not_preloadable(path, search_path).value_or("");
  }
  TemporaryDirectory directory_;
};

TEST_F(Preloadable, OrdinaryProgram) {
  EXPECT_EQ(reason("/proc/self/exe"), "");
  EXPECT_EQ(reason("/bin/sh"), "");
  EXPECT_EQ(reason(directory_.file("made", Program().bytes())), "");
}

TEST_F(Preloadable, StaticProgramIsRefused) {
  Program program;
  program.interpreter.clear();
  EXPECT_NE(reason(directory_.file("static", program.bytes())).find("statically linked"),
            std::string::npos);
}

TEST_F(Preloadable, DynamicLinkerCalledByNameIsNotStatic) {
  EXPECT_EQ(reason(Program().interpreter), "");
}

TEST_F(Preloadable, OtherLibraryIsRefused) {
  Program program;
  program.interpreter = "/lib/ld-musl-x86_64.so.1";
  EXPECT_NE(reason(directory_.file("musl", program.bytes())).find("/lib/ld-musl-x86_64.so.1"),
            std::string::npos);
}

TEST_F(Preloadable, SameLibraryElsewhereIsNotRefused) {
  Program program;
  program.interpreter = "/elsewhere" + program.interpreter;
  EXPECT_EQ(reason(directory_.file("elsewhere", program.bytes())), "");
}

TEST_F(Preloadable, OtherArchitectureIsRefused) {
  Program program;
  program.header.e_machine = program.header.e_machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
  EXPECT_NE(reason(directory_.file("machine", program.bytes())).find("architecture"),
            std::string::npos);
  Program other_class;
  other_class.header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
  EXPECT_NE(reason(directory_.file("class", other_class.bytes())).find("architecture"),
            std::string::npos);
}

TEST_F(Preloadable, CutElfFileDoesNotCrash) {
  const std::string bytes = Program().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    reason(directory_.file("cut", bytes.substr(0, size)));
  }
}

TEST_F(Preloadable, ScriptIsItsInterpreter) {
  Program program;
  program.interpreter.clear();
  const std::string interpreter = directory_.file("interpreter", program.bytes());
  EXPECT_EQ(reason(directory_.file("good", "#!/bin/sh -e\ntrue\n")), "");
  EXPECT_EQ(reason(directory_.file("no-line-end", "#!/bin/sh")), "");
  EXPECT_EQ(reason(directory_.file("no-interpreter-line", "echo hello\n")), "");
  EXPECT_EQ(reason(directory_.file("empty", "")), "");
  const std::string bad = reason(directory_.file("bad", "#! " + interpreter + " -x\n"));
  EXPECT_NE(bad.find("is a script of " + interpreter), std::string::npos) << bad;
  EXPECT_NE(bad.find("statically linked"), std::string::npos) << bad;
  // A script whose interpreter is a script.
  EXPECT_NE(reason(directory_.file("second", "#!" + directory_.path() + "/bad\n")), "");
}

TEST_F(Preloadable, ScriptOfEnvIsWhatEnvFinds) {
  Program program;
  program.interpreter.clear();
  directory_.file("bin/tool", program.bytes());
  const std::string path = directory_.path() + "/bin:/usr/bin:/bin";
  for (const char* line :
       {"#!/usr/bin/env tool\n", "#!/usr/bin/env -S tool -x\n", "#!/usr/bin/env A=b tool\n"}) {
    EXPECT_NE(reason(directory_.file("script", line), path.c_str()), "") << line;
  }
  EXPECT_EQ(reason(directory_.file("script", "#!/usr/bin/env sh\n"), path.c_str()), "");
  EXPECT_EQ(reason(directory_.file("script", "#!/usr/bin/env nowhere\n"), path.c_str()), "");
}

TEST_F(Preloadable, ScriptThatIsItsOwnInterpreterEnds) {
  const std::string path = directory_.path() + "/self";
  EXPECT_EQ(reason(directory_.file("self", "#!" + path + "\n")), "");
}

TEST_F(Preloadable, SetUserIdOfAnotherIsRefused) {
  struct statvfs file_system {};
  ASSERT_EQ(statvfs(directory_.path().c_str(), &file_system), 0);
  if (getuid() != 0 || (file_system.f_flag & ST_NOSUID) != 0)
    GTEST_SKIP() << "cannot make such files";
  const std::string program = directory_.file("program", Program().bytes());
  ASSERT_EQ(chown(program.c_str(), 65534, 65534), 0);
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  EXPECT_EQ(reason(program), "");
  ASSERT_EQ(chmod(program.c_str(), 04755), 0);
  EXPECT_NE(reason(program).find("set-user-ID"), std::string::npos);
  ASSERT_EQ(chmod(program.c_str(), 02755), 0);
  EXPECT_NE(reason(program).find("set-group-ID"), std::string::npos);
  // For its owner it changes nothing.
  ASSERT_EQ(chown(program.c_str(), getuid(), getgid()), 0);
  ASSERT_EQ(chmod(program.c_str(), 06755), 0);
  EXPECT_EQ(reason(program), "");
}

}  // namespace
}  // namespace cassette
