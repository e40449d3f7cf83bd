// Does each recorded answer go to exactly one of many? Processes times threads ask one session for one
// request that has as many recorded answers as they ask for; every answer has its number as body.
//
//   exactly_once PROCESSES THREADS ANSWERS matched|sequential FOLDER
//
// Prints one line and ends with 0 when each answer was given once, ascending within each thread, all
// counters are exact, and the history has every request. Built a second time with ThreadSanitizer.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "store/cassette.h"
#include "store/deck.h"

using namespace cassette;

namespace {

struct Tally {
  std::atomic<std::uint32_t> disorder;
  std::atomic<std::uint32_t> strange;  ///< not an answer that was recorded
  std::atomic<std::uint32_t> given[1'000'000];
};

Cassette numbered(std::uint32_t count) {
  Cassette cassette;
  for (std::uint32_t i = 0; i < count; ++i) {
    Interaction interaction;
    interaction.request.method = "GET";
    interaction.uri = "http://example.test/next";
    interaction.response.status = 200;
    interaction.response.reason = "OK";
    interaction.response.body = std::to_string(i);
    cassette.interactions.push_back(std::move(interaction));
  }
  return cassette;
}

/// One thread: asks until it is told that all are used up.
void drain(Deck& deck, Tally& tally, std::uint32_t count) {
  static const Headers kNone;
  RequestView request;
  request.method = "GET";
  request.uri = *parse_uri("http://example.test/next");
  request.headers = &kNone;
  std::shared_ptr<Player> player = deck.current();
  std::string scratch;
  std::int64_t last = -1;
  for (;;) {
    Decision decision = player->decide(request);
    bool replayed = decision.kind == Decision::Kind::kReplay;
    player->handled(request, {replayed ? HistoryOutcome::kReplayed : HistoryOutcome::kMissed,
                              decision, 0, 1, 1, 0});
    if (!replayed) {
      if (decision.reason != MissReason::kUsedUp) tally.strange.fetch_add(1);
      return;
    }
    std::string_view bytes = player->response(decision.interaction, {}, scratch).bytes;
    bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
    std::uint32_t number = count;
    std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
    if (number >= count) {
      tally.strange.fetch_add(1);
      continue;
    }
    if (number <= last) tally.disorder.fetch_add(1);
    last = number;
    tally.given[number].fetch_add(1);
  }
}

Settings settings_in(const std::string& folder, const std::string& order) {
  Settings settings;
  settings.mode = RecordMode::kNone;
  settings.cassette = folder + "/numbered.json";
  settings.order = order == "sequential" ? Order::kSequential : Order::kMatched;
  settings.runtime_dir = folder + "/runtime";
  settings.state_dir = folder + "/state";
  return settings;
}

/// A tree whose root is this process.
std::string new_tree() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::to_string(getpid()) + "-" +
         std::to_string(static_cast<long long>(now.tv_sec) * 1000000000 + now.tv_nsec) +
         ":exactly_once:/";
}

std::uint64_t entries_and_dropped(const Settings& settings, const std::string& tree) {
  auto history = session_history(settings, tree.substr(0, tree.find(':')));
  return history && *history ? (*history)->entries.size() + (*history)->dropped : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int processes = std::atoi(argv[1]), threads = std::atoi(argv[2]);
  const auto count = static_cast<std::uint32_t>(std::atoi(argv[3]));
  const std::string order = argv[4], folder = argv[5];
  const Settings settings = settings_in(folder, order);
  Cassette cassette = numbered(count);
  if (!save_cassette(settings.cassette, cassette)) return 2;
  auto* tally =
      new (mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          Tally{};
  const std::string tree = new_tree();
  Deck deck(settings, tree);
  deck.current();  // the session lives while this does

  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    pid_t child = fork();
    if (child == 0) {
      Deck own(settings, tree);
      std::vector<std::thread> crowd;
      for (int t = 0; t < threads; ++t) crowd.emplace_back([&] { drain(own, *tally, count); });
      for (std::thread& thread : crowd) thread.join();
      own.leave();
      // _exit() would skip the report of the sanitizer.
      std::exit(0);
    }
    children.push_back(child);
  }
  int bad = 0;
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) ++bad;
  }
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < count; ++i) wrong += tally->given[i].load() == 1 ? 0 : 1;
  auto state = find_session(settings, tree.substr(0, tree.find(':')));
  const CassetteCounts counts = state && *state && !(*state)->cassettes.empty()
                                    ? (*state)->cassettes.front().counts
                                    : CassetteCounts{};
  // Each thread notes the one that was used up, too.
  const std::uint64_t noted = entries_and_dropped(settings, tree);
  const std::uint64_t expected = count + static_cast<std::uint64_t>(processes) * threads;
  std::printf(
      "%s: %u answers, %u not given once, %u out of order, %u strange, %d processes failed, "
      "%llu replayed, %llu unused, %llu of %llu noted\n",
      order.c_str(), count, wrong, tally->disorder.load(), tally->strange.load(), bad,
      static_cast<unsigned long long>(counts.replayed),
      static_cast<unsigned long long>(counts.unused), static_cast<unsigned long long>(noted),
      static_cast<unsigned long long>(expected));
  deck.leave();
  return wrong == 0 && tally->disorder == 0 && tally->strange == 0 && bad == 0 &&
                 counts.replayed == count && counts.unused == 0 && noted == expected
             ? 0
             : 1;
}
