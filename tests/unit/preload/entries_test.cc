// Redirecting the calls between loaded objects: small shared objects, compiled here, that call each other.
#include "preload/engine/entries.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace cassette {
namespace {

using Function = int (*)();

// Of the objects of these tests alone: what is changed is changed in the whole process.
constexpr char kAnswer[] = "entries_test_answer";

int replaced() { return 1000; }
int replaced_again() { return 2000; }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kOwnFirst = 0;  // sanitizers refuse such objects
#else
constexpr int kOwnFirst = RTLD_DEEPBIND;
#endif

/// The handles that choose() was called with, and what is called `kAnswer` there. Those of former tests may
/// be among them.
std::map<void*, Function> seen_by_choose;

Function answer_of(void* object) {
  return seen_by_choose[object] = reinterpret_cast<Function>(dlsym(object, kAnswer));
}
int answer_seen_in(void* object) {
  auto seen = seen_by_choose.find(object);
  return seen != seen_by_choose.end() && seen->second != nullptr ? seen->second() : -1;
}
void* choose_replaced(void* object) {
  return answer_of(object) != nullptr ? reinterpret_cast<void*>(replaced) : nullptr;
}
void* choose_replaced_again(void* object) {
  return answer_of(object) != nullptr ? reinterpret_cast<void*>(replaced_again) : nullptr;
}
void* choose_nothing(void* object) {
  answer_of(object);
  return nullptr;
}

/// "rw-p" and the like: the mapping that has this address.
std::string protection_of(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char protection[8] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %7s", &begin, &end, protection) == 3 &&
        begin <= wanted && wanted < end)
      return protection;
  }
  return "none";
}

/// Where an object's entries are.
const void* table_of(void* object) {
  link_map* map = nullptr;
  if (dlinfo(object, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0) return nullptr;
  const ElfW(Dyn)* entry = map->l_ld;
  while (entry->d_tag != DT_PLTGOT && entry->d_tag != DT_NULL) ++entry;
  return reinterpret_cast<const void*>(entry->d_un.d_ptr);
}

class EntriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "entries-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    seen_by_choose.clear();
    if (std::system("cc --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no compiler";
  }
  void TearDown() override {
    for (void* object : opened_) dlclose(object);
    std::filesystem::remove_all(folder_);
  }

  /// Compiles an object, and gives back its path: another one each time.
  std::string compile(const std::string& source, const std::string& options) {
    const std::string stem = folder_ + "/" + std::to_string(++objects_);
    std::ofstream(stem + ".c") << source;
    const std::string command =
        "cc -shared -fPIC -o " + stem + ".so " + stem + ".c " + options + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return stem + ".so";
  }
  /// An object that has `kAnswer`.
  std::string compile_callee(int answer) {
    return compile("int entries_test_answer(void) { return " + std::to_string(answer) + "; }", "");
  }
  /// One that calls it, and that takes its address.
  std::string compile_caller(const std::string& callee, const std::string& options) {
    return compile(
        "int entries_test_answer(void);\n"
        "int call(void) { return entries_test_answer() + 1; }\n"
        "int (*address(void))(void) { return entries_test_answer; }\n",
        callee + " " + options);
  }
  void* open(const std::string& path, int flags = RTLD_NOW | RTLD_LOCAL) {
    void* object = dlopen(path.c_str(), flags);
    EXPECT_NE(object, nullptr) << dlerror();
    if (object != nullptr) opened_.push_back(object);
    return object;
  }
  static int call(void* object, const char* name = "call") {
    auto function = reinterpret_cast<Function>(dlsym(object, name));
    return function != nullptr ? function() : -1;
  }
  static int call_by_address(void* object) {
    auto address = reinterpret_cast<Function (*)()>(dlsym(object, "address"));
    return address != nullptr ? address()() : -1;
  }

  std::string folder_;

 private:
  int objects_ = 0;
  std::vector<void*> opened_;
};

// ---- the ways of linking an object ----

TEST_F(EntriesTest, ACallIsRedirectedHoweverTheObjectIsLinked) {
  const std::string callee = compile_callee(7);
  for (const char* options :
       {"-Wl,-z,lazy -Wl,-z,norelro", "-Wl,-z,lazy -Wl,-z,relro", "-Wl,-z,now -Wl,-z,norelro",
        "-Wl,-z,now -Wl,-z,relro", "-fno-plt", "-fno-plt -Wl,-z,now -Wl,-z,relro",
        "-O2 -Wl,-z,now -Wl,-z,pack-relative-relocs", "-Wl,--hash-style=sysv", "-s"}) {
    SCOPED_TRACE(options);
    void* caller = open(compile_caller(callee, options), RTLD_LAZY | RTLD_LOCAL);
    ASSERT_NE(caller, nullptr);
    change_entries(kAnswer, choose_replaced);
    EXPECT_EQ(call(caller), 1001);
    EXPECT_EQ(call_by_address(caller), 1000);
  }
}

TEST_F(EntriesTest, ACallIsRedirectedWhetherItWasMadeBeforeOrNot) {
  const std::string callee = compile_callee(7);
  void* caller = open(compile_caller(callee, "-Wl,-z,lazy"), RTLD_LAZY | RTLD_LOCAL);
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(call(caller), 8);
  EXPECT_EQ(call_by_address(caller), 7);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller), 1001);
  EXPECT_EQ(call_by_address(caller), 1000);
}

TEST_F(EntriesTest, AnEntryThatIsReadOnlyIsChanged) {
  const std::string callee = compile_callee(7);
  void* caller = open(compile_caller(callee, "-Wl,-z,now -Wl,-z,relro"));
  ASSERT_NE(caller, nullptr);
  ASSERT_EQ(protection_of(table_of(caller)), "r--p") << "what is tested";
  EXPECT_EQ(call(caller), 8);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller), 1001);
}

TEST_F(EntriesTest, AnEntryThatWasReadOnlyIsSoAfterwards) {
  void* caller = open(compile_caller(compile_callee(7), "-Wl,-z,now -Wl,-z,relro"));
  ASSERT_NE(caller, nullptr);
  const void* table = table_of(caller);
  ASSERT_EQ(protection_of(table), "r--p") << "what is tested";
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller), 1001);
  // PT_GNU_RELRO says which pages those are.
  EXPECT_EQ(protection_of(table), "r--p");
}

// ---- scopes ----

TEST_F(EntriesTest, ObjectsOfTheGlobalScopeAndOfTheirOwnAreReached) {
  const std::string callee = compile_callee(7);
  void* local = open(compile_caller(callee, ""), RTLD_NOW | RTLD_LOCAL);
  void* global = open(compile_caller(callee, ""), RTLD_NOW | RTLD_GLOBAL);
  void* deep = open(compile_caller(callee, ""), RTLD_NOW | RTLD_LOCAL | kOwnFirst);
  ASSERT_TRUE(local != nullptr && global != nullptr && deep != nullptr);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(local), 1001);
  EXPECT_EQ(call(global), 1001);
  EXPECT_EQ(call(deep), 1001);
}

TEST_F(EntriesTest, AnObjectIsAskedForInItsOwnScope) {
  void* one = open(compile_caller(compile_callee(7), "-fno-plt"));
  void* other = open(compile_caller(compile_callee(9), "-fno-plt"));
  ASSERT_TRUE(one != nullptr && other != nullptr);
  // Each entry leads to where it has led: nothing is changed.
  change_entries(kAnswer, [](void* object) { return reinterpret_cast<void*>(answer_of(object)); });
  EXPECT_EQ(answer_seen_in(one), 7);
  EXPECT_EQ(answer_seen_in(other), 9);
  EXPECT_EQ(call(one), 8);
  EXPECT_EQ(call(other), 10);
}

TEST_F(EntriesTest, TheProgramItselfIsReached) {
  EXPECT_EQ(getppid(), getppid());
  change_entries("getppid", [](void*) { return reinterpret_cast<void*>(replaced); });
  const int changed = getppid();
  change_entries("getppid", [](void* object) { return dlsym(object, "getppid"); });
  EXPECT_EQ(changed, 1000);
  EXPECT_NE(getppid(), 1000);
}

// ---- what is chosen ----

TEST_F(EntriesTest, WhereNothingIsChosenNothingChanges) {
  void* caller = open(compile_caller(compile_callee(7), ""));
  ASSERT_NE(caller, nullptr);
  change_entries(kAnswer, choose_nothing);
  EXPECT_EQ(answer_seen_in(caller), 7) << "it was asked";
  EXPECT_EQ(call(caller), 8);
  EXPECT_EQ(call_by_address(caller), 7);
}

TEST_F(EntriesTest, OneObjectsChoiceLeavesOthersAlone) {
  void* one = open(compile_caller(compile_callee(7), ""));
  void* other = open(compile_caller(compile_callee(9), ""));
  ASSERT_TRUE(one != nullptr && other != nullptr);
  change_entries(kAnswer, [](void* object) -> void* {
    Function original = answer_of(object);
    return original != nullptr && original() == 9 ? reinterpret_cast<void*>(replaced) : nullptr;
  });
  EXPECT_EQ(call(one), 8);
  EXPECT_EQ(call(other), 1001);
}

TEST_F(EntriesTest, ALaterChoiceCounts) {
  void* caller = open(compile_caller(compile_callee(7), "-Wl,-z,now -Wl,-z,relro"));
  ASSERT_NE(caller, nullptr);
  change_entries(kAnswer, choose_replaced);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller), 1001);
  change_entries(kAnswer, choose_replaced_again);
  EXPECT_EQ(call(caller), 2001);
  change_entries(kAnswer, [](void* object) { return reinterpret_cast<void*>(answer_of(object)); });
  EXPECT_EQ(call(caller), 8);
}

TEST_F(EntriesTest, TheOriginalIsStillFoundByItsName) {
  void* caller = open(compile_caller(compile_callee(7), ""));
  ASSERT_NE(caller, nullptr);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller, kAnswer), 7);
}

TEST_F(EntriesTest, SimilarNamesAreLeftAlone) {
  const std::string callee = compile(
      "int entries_test_answer2(void) { return 2; }\n"
      "int entries_test_answe(void) { return 3; }\n"
      "int xentries_test_answer(void) { return 4; }\n",
      "");
  void* caller = open(compile(
      "int entries_test_answer2(void), entries_test_answe(void), xentries_test_answer(void);\n"
      "int call(void) { return 100 * entries_test_answer2() + 10 * entries_test_answe() +\n"
      "                        xentries_test_answer(); }\n",
      callee));
  ASSERT_NE(caller, nullptr);
  change_entries(kAnswer, [](void*) { return reinterpret_cast<void*>(replaced); });
  EXPECT_EQ(call(caller), 234);
}

TEST_F(EntriesTest, ANameThatNobodyCallsIsNobodysEntry) {
  change_entries("entries_test_of_nobody", choose_replaced);
  EXPECT_TRUE(seen_by_choose.empty());
}

TEST_F(EntriesTest, AnObjectThatHasTheFunctionItselfIsReachedWhereItCallsItLikeOthers) {
  // Exported and called through the table, as another object's might take its place.
  void* object =
      open(compile("int entries_test_answer(void) { return 7; }\n"
                   "int call(void) { return entries_test_answer() + 1; }\n",
                   "-fsemantic-interposition"));
  // A call inside the object that needs no entry stays.
  void* closed =
      open(compile("int entries_test_answer(void) { return 7; }\n"
                   "int call(void) { return entries_test_answer() + 1; }\n",
                   "-Wl,-Bsymbolic"));
  ASSERT_TRUE(object != nullptr && closed != nullptr);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(object), 1001);
  EXPECT_EQ(call(closed), 8);
}

TEST_F(EntriesTest, ObjectsWithoutRelocationsAreEndured) {
  ASSERT_NE(open(compile("int lonely(void) { return 1; }", "-nostdlib")), nullptr);
  ASSERT_NE(open(compile("int lonely;", "-nostdlib -Wl,--hash-style=gnu")), nullptr);
  void* caller = open(compile_caller(compile_callee(7), ""));
  ASSERT_NE(caller, nullptr);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller), 1001);
}

TEST_F(EntriesTest, AnObjectWhoseFileIsGoneIsReached) {
  const std::string path = compile_caller(compile_callee(7), "");
  void* caller = open(path);
  ASSERT_NE(caller, nullptr);
  std::filesystem::remove(path);
  change_entries(kAnswer, choose_replaced);
  EXPECT_EQ(call(caller), 1001);
}

TEST_F(EntriesTest, AnObjectThatWasLookedAtOnlyCanBeUnloaded) {
  const std::string path = compile_caller(compile_callee(7), "");
  void* caller = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(caller, nullptr);
  change_entries(kAnswer, choose_nothing);
  dlclose(caller);
  void* still = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  EXPECT_EQ(still, nullptr) << "its destructors were not called";
  if (still != nullptr) dlclose(still);
}

// ---- objects that come ----

TEST_F(EntriesTest, ObjectsCameAtFirstAndThenWithEachNewOne) {
  const std::string one = compile_callee(1), other = compile_callee(2);
  unsigned long long seen = 0;
  EXPECT_TRUE(objects_came(&seen));
  EXPECT_FALSE(objects_came(&seen));
  void* object = open(one);
  EXPECT_TRUE(objects_came(&seen));
  EXPECT_FALSE(objects_came(&seen));
  EXPECT_EQ(open(one), object) << "it is there already";
  EXPECT_FALSE(objects_came(&seen));
  open(other);
  EXPECT_TRUE(objects_came(&seen));
  EXPECT_FALSE(objects_came(&seen));
}

TEST_F(EntriesTest, ObjectsThatCameAndWentHaveCome) {
  const std::string path = compile_callee(1);
  unsigned long long seen = 0;
  objects_came(&seen);
  void* object = dlopen(path.c_str(), RTLD_NOW);
  ASSERT_NE(object, nullptr);
  dlclose(object);
  EXPECT_TRUE(objects_came(&seen));
  EXPECT_FALSE(objects_came(&seen));
}

TEST_F(EntriesTest, EachCounterIsItsOwn) {
  unsigned long long one = 0, other = 0;
  EXPECT_TRUE(objects_came(&one));
  EXPECT_TRUE(objects_came(&other));
  open(compile_callee(1));
  EXPECT_TRUE(objects_came(&one));
  EXPECT_TRUE(objects_came(&other));
  EXPECT_FALSE(objects_came(&one));
}

}  // namespace
}  // namespace cassette
