// What the tests of the store share: a directory of their own, settings that lead into it,
// interactions, and children.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "store/cassette.h"
#include "store/deck.h"
#include "store/log.h"
#include "store/settings/settings.h"

namespace cassette {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TMPDIR");
    std::string pattern =
        std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/cassette-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    settings_.mode = RecordMode::kNone;
    settings_.cassette = directory_ + "/c.yaml";
    settings_.runtime_dir = directory_ + "/run";
    settings_.state_dir = directory_ + "/state";
    settings_.filter_headers = default_filter_headers();
    settings_.filter_query = default_filter_query();
    settings_.filter_body = default_filter_body();
    tree_ = new_tree();
    configure_log(LogLevel::kDebug, log_file());
  }
  void TearDown() override {
    configure_log(LogLevel::kWarn, "");
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string cassette() const { return directory_ + "/c.yaml"; }
  std::string journal() const { return directory_ + "/c.yaml.journal"; }
  std::string log_file() const { return directory_ + "/log"; }
  std::string sessions() const { return directory_ + "/run/sessions"; }

  /// A tree whose root is this process (or another).
  std::string new_tree(int root = getpid()) const {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::to_string(root) + "-" +
           std::to_string(static_cast<long long>(now.tv_sec) * 1000000000 + now.tv_nsec) +
           ":test:" + directory_;
  }

  /// A deck, and who is on top of it now.
  class OpenDeck {
   public:
    OpenDeck() = default;
    OpenDeck(const Settings& settings, const std::string& tree)
        : deck_(std::make_unique<Deck>(settings, tree)) {}
    explicit operator bool() const { return deck_ != nullptr; }
    std::shared_ptr<Player> current() const { return deck_->current(); }
    Player& operator*() const { return *deck_->current(); }
    Player* operator->() const { return deck_->current().get(); }
    Deck& deck() const { return *deck_; }
    void leave(bool ended_well = true) { deck_->leave(ended_well); }
    void reset() { deck_.reset(); }

   private:
    std::unique_ptr<Deck> deck_;
  };
  OpenDeck open(RecordMode mode) {
    settings_.mode = mode;
    return open_deck();
  }
  OpenDeck open_deck() const {
    OpenDeck opened(settings_, tree_);
    opened.current();
    return opened;
  }

  static Interaction interaction(const std::string& uri, const std::string& body,
                                 std::int64_t recorded_at = 0) {
    Interaction result;
    result.request.method = "GET";
    result.uri = uri;
    result.response.status = 200;
    result.response.reason = "OK";
    result.response.headers.add("Content-Type", "text/plain");
    result.response.body = body;
    if (recorded_at != 0) result.recorded_at = recorded_at;
    return result;
  }

  void save(const std::vector<Interaction>& interactions) {
    Cassette all{interactions};
    auto saved = save_cassette(settings_.cassette, all);
    ASSERT_TRUE(saved.ok()) << saved.error().message;
  }

  /// The bodies of the recorded responses, in order: "a b c".
  static std::string bodies(const std::vector<Interaction>& interactions) {
    std::string result;
    for (const auto& each : interactions) {
      if (!result.empty()) result += " ";
      result += each.response.body;
    }
    return result;
  }
  std::string saved_bodies() {
    auto loaded = load_cassette(settings_.cassette);
    return loaded.ok() ? bodies(loaded->interactions) : "error: " + loaded.error().message;
  }

  /// Asks for a URI; the answer's body, "forward", or "miss".
  static Decision ask(Player& player, const std::string& uri) {
    static const Headers kNone;
    RequestView request;
    request.method = "GET";
    request.uri = *parse_uri(uri);
    request.headers = &kNone;
    return player.decide(request);
  }
  static std::string body_of(const Player& player, const Decision& decision) {
    std::string scratch;
    PlayedResponse response = player.response(decision.interaction, {}, scratch);
    std::string bytes(response.bytes);
    std::size_t head = bytes.find("\r\n\r\n");
    return head == std::string::npos ? bytes : bytes.substr(head + 4);
  }
  static std::string answer(Player& player, const std::string& uri) {
    Decision decision = ask(player, uri);
    switch (decision.kind) {
      case Decision::Kind::kForward:
        return "forward";
      case Decision::Kind::kMiss:
        return "miss";
      case Decision::Kind::kReplay:
        break;
    }
    return body_of(player, decision);
  }

  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }
  std::size_t session_count() const {
    std::size_t count = 0;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(sessions(), ignored)) {
      (void)entry;
      ++count;
    }
    return count;
  }

  /// Runs it in a child, which ends without any of the test's own clean-up.
  static pid_t spawn(const std::function<int()>& work) {
    pid_t child = fork();
    if (child == 0) _exit(work());
    return child;
  }
  /// The exit status, or 128 and the signal.
  static int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  static int in_child(const std::function<int()>& work) { return wait_for(spawn(work)); }

  std::string directory_;
  std::string tree_;
  Settings settings_;
};

}  // namespace cassette
