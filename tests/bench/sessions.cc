// Figures of the session store: get-and-advance by several threads at once, joining a session that is
// there, the memory that one takes. Prints a table; nothing passes or fails.
//
//   sessions FOLDER     an empty folder for cassettes; sessions go where CASSETTE_RUNTIME_DIR says
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "store/cassette.h"
#include "store/deck.h"

using namespace cassette;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint32_t kAnswers = 400'000;

double nanoseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

Settings settings_with(const std::string& cassette) {
  Settings settings;
  settings.mode = RecordMode::kNone;
  settings.cassette = cassette;
  const char* runtime = std::getenv("CASSETTE_RUNTIME_DIR");
  const char* state = std::getenv("CASSETTE_STATE_DIR");
  settings.runtime_dir = runtime != nullptr ? runtime : "/dev/shm/cassette-bench";
  settings.state_dir = state != nullptr ? state : "/tmp";
  settings.session = "bench";
  settings.session_ttl = std::chrono::milliseconds(0);
  return settings;
}

void save(const std::string& path, std::uint32_t count) {
  Cassette cassette;
  for (std::uint32_t i = 0; i < count; ++i) {
    Interaction interaction;
    interaction.request.method = "GET";
    interaction.uri = "http://example.test/next";
    interaction.response.status = 200;
    interaction.response.body = std::to_string(i);
    cassette.interactions.push_back(std::move(interaction));
  }
  if (auto saved = save_cassette(path, cassette); !saved) {
    std::fprintf(stderr, "%s\n", saved.error().message.c_str());
    std::exit(1);
  }
}

RequestView request() {
  static const Headers kNone;
  RequestView view;
  view.method = "GET";
  view.uri = *parse_uri("http://example.test/next");
  view.headers = &kNone;
  return view;
}

/// Wall nanoseconds for each of the calls that `threads` make together, until all is used up.
template <typename Take>
double together(int threads, Take take) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> crowd;
  for (int t = 0; t < threads; ++t) {
    crowd.emplace_back([&] {
      ready.fetch_add(1);
      while (!go.load()) {
      }
      while (take()) {
      }
    });
  }
  while (ready.load() < threads) std::this_thread::yield();
  auto begin = Clock::now();
  go.store(true);
  for (std::thread& thread : crowd) thread.join();
  return nanoseconds_since(begin) / kAnswers;
}

std::uint64_t memory_of(const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    struct stat status {};
    if (stat(entry.path().c_str(), &status) == 0) {
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

void get_and_advance(const Settings& settings) {
  Deck deck(settings, "");
  std::shared_ptr<Player> player = deck.current();
  auto session = Session::join(settings, "");
  auto opened = (*session)->open_cassette(settings.cassette);
  const Image& image = *opened->image;
  Cursors& cursors = *opened->cursors;
  const Image::Group group = image.group_of(0);
  const RequestView view = request();
  std::printf("%-44s %8s %8s %8s %8s\n", "Threads that ask for one request at once", "1", "2", "4",
              "8");
  auto row = [&](const char* name, auto take) {
    std::printf("  %-42s", name);
    for (int threads : {1, 2, 4, 8}) {
      std::vector<double> rounds;
      for (int round = 0; round < 3; ++round) {
        cursors.rewind();
        rounds.push_back(together(threads, take));
      }
      std::sort(rounds.begin(), rounds.end());
      std::printf(" %5.0f ns", rounds[1]);
    }
    std::printf("\n");
  };
  auto any = [](std::uint32_t) { return true; };
  row("get-and-advance, order matched",
      [&] { return cursors.take_matched(image, group, false, any).kind == Turn::Kind::kPlay; });
  row("get-and-advance, order sequential",
      [&] { return cursors.take_in_sequence(image, group, false, any).kind == Turn::Kind::kPlay; });
  row("Player: a request is decided and found",
      [&] { return player->decide(view).kind == Decision::Kind::kReplay; });
  row("the same, noted in the history", [&] {
    Decision decision = player->decide(view);
    if (decision.kind != Decision::Kind::kReplay) return false;
    player->handled(view, {HistoryOutcome::kReplayed, decision, 0, 1, 1, 0});
    return true;
  });
}

void attach(const Settings& settings) {
  constexpr int kTimes = 500;
  std::vector<double> times;
  for (int i = 0; i < kTimes; ++i) {
    auto begin = Clock::now();
    Deck deck(settings, "");
    if (deck.current()->cassette_size() == 0) std::exit(1);
    times.push_back(nanoseconds_since(begin) / 1000);
  }
  std::sort(times.begin(), times.end());
  std::printf("Joining a session that is there, as a second process does\n");
  std::printf("  %-42s %5.0f us  (median of %d, 99%% below %.0f)\n",
              "session and cassette joined, a player made", times[kTimes / 2], kTimes,
              times[kTimes * 99 / 100]);
}

void memory(Settings settings, const std::string& folder) {
  settings.runtime_dir += "/memory";
  auto with = [&](const char* session, std::uint32_t count) {
    settings.session = session;
    settings.cassette = folder + "/" + std::to_string(count) + ".json";
    save(settings.cassette, count);
    Deck deck(settings, "");
    deck.current();
    return memory_of(settings.runtime_dir + "/sessions/named-" + session);
  };
  const std::uint64_t one = with("one", 1), many = with("many", 100'001);
  std::printf("Memory\n");
  std::printf("  %-42s %5.0f KiB\n", "a session with one small interaction",
              static_cast<double>(one) / 1024);
  std::printf("  %-42s %5.0f bytes (16 of them positions and hints)\n",
              "a further small interaction", static_cast<double>(many - one) / 100'000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const Settings settings = settings_with(folder + "/numbered.json");
  save(settings.cassette, kAnswers);
  get_and_advance(settings);
  attach(settings);
  memory(settings, folder);
  return 0;
}
