// See control.h.
#include "store/session/control.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <utility>

#include "store/files.h"
#include "store/session/session_files.h"

namespace cassette {

namespace {

/// An id that was never given before: when it was made, by whom, and which of his it is.
std::string new_id() {
  static std::atomic<unsigned> counter{0};
  char text[64];
  std::snprintf(text, sizeof text, "s%llx-%x-%x",
                static_cast<unsigned long long>(nanoseconds(CLOCK_REALTIME)),
                static_cast<unsigned>(getpid()), counter.fetch_add(1));
  return text;
}

std::string directory_of(const Settings& settings, const SessionIdentity& identity) {
  return sessions_directory(settings.runtime_dir) + "/" + identity.id;
}

bool is_there(const Settings& settings, const SessionIdentity& identity) {
  return exists(directory_of(settings, identity) + "/alive");
}

/// The session that an id means: a named one before the others.
std::optional<SessionIdentity> find(const Settings& settings, const std::string& id) {
  Settings named = settings;
  named.session = id;
  if (id.empty()) return std::nullopt;
  auto identity = session_identity(named, "");
  if (identity) {
    end_if_expired(settings, *identity);
    if (is_there(settings, *identity)) return *identity;
  }
  auto other = identity_of(id);
  if (other && other->kind != SessionIdentity::Kind::kNamed && is_there(settings, *other)) {
    return other;
  }
  return std::nullopt;
}

/// A named session is alive as long as it is used, from outside too.
void renew(const Settings& settings, const SessionIdentity& identity) {
  if (identity.kind != SessionIdentity::Kind::kNamed) return;
  utimensat(AT_FDCWD, (directory_of(settings, identity) + "/alive").c_str(), nullptr,
            AT_SYMLINK_NOFOLLOW);
}

std::int64_t microseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

/// Whether somebody holds a flock on the file, without taking one: that would keep others out.
bool is_locked(const struct stat& file) {
  auto locks = read_file("/proc/locks");
  if (!locks) return false;
  char place[64];
  std::snprintf(place, sizeof place, " %02x:%02x:%llu ", major(file.st_dev), minor(file.st_dev),
                static_cast<unsigned long long>(file.st_ino));
  return locks->find(place) != std::string::npos;
}

/// When the session was made: the token says it (session.cc).
std::int64_t creation(const AliveText& text) {
  const std::size_t at = text.token.rfind('@');
  if (at == std::string::npos) return 0;
  return std::strtoll(text.token.c_str() + at + 1, nullptr, 10) / 1000;
}

CassetteState state_of(const OpenCassette& cassette, bool with_ids) {
  const Image& image = *cassette.image;
  const Cursors& cursors = *cassette.cursors;
  CassetteState state;
  state.counts.path = image.path();
  state.counts.replayed = cursors.replayed();
  state.counts.recorded = cursors.recorded();
  state.counts.missed = cursors.missed();
  state.counts.record_failures = cursors.record_failures();
  state.counts.interactions = image.size();
  state.counts.unused = cursors.unplayed();
  state.key = cassette.key;
  state.index = cursors.index(image);
  for (std::uint32_t i = 0; with_ids && i < image.size(); ++i) state.ids.emplace_back(image.id(i));
  return state;
}

/// Nothing: it has ended just now.
std::optional<SessionState> look_at(const Settings& settings, const SessionIdentity& identity,
                                    bool with_ids) {
  const std::string directory = directory_of(settings, identity);
  Descriptor alive(open((directory + "/alive").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!alive || fstat(alive.get(), &status) != 0) return std::nullopt;
  auto text = read_alive_text(alive.get());
  if (!text) return std::nullopt;
  SessionState state;
  state.id = name_of(identity);
  state.kind = identity.kind;
  state.created = creation(*text);
  state.last_used = microseconds(status.st_mtim);
  state.time_to_live = text->time_to_live;
  state.in_use = is_locked(status);
  for (const OpenCassette& cassette : open_all_cassettes(directory)) {
    state.cassettes.push_back(state_of(cassette, with_ids));
  }
  std::sort(state.cassettes.begin(), state.cassettes.end(),
            [](const auto& a, const auto& b) { return a.counts.path < b.counts.path; });
  return state;
}

template <typename Body>
auto guarded(Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& problem) {
    return Error{std::string("cannot reach the session: ") + problem.what()};
  }
}

}  // namespace

Result<Registered> register_session(const Settings& settings, const std::string& id) {
  return guarded([&]() -> Result<Registered> {
    Settings named = settings;
    named.session = id.empty() ? new_id() : id;
    auto identity = session_identity(named, "");
    if (!identity) return identity.error();
    end_if_expired(named, *identity);
    Registered registered{Registration::kRegistered, named.session, settings.max_sessions};
    Result<Session::Creation> created = Session::Creation::kAnotherWasFirst;
    if (!is_there(named, *identity)) created = Session::create(named, *identity);
    if (!created) return created.error();
    if (*created == Session::Creation::kPoolFull) registered.outcome = Registration::kPoolFull;
    if (*created == Session::Creation::kAnotherWasFirst) {
      registered.outcome = Registration::kAlreadyRegistered;
      renew(named, *identity);
    }
    return registered;
  });
}

Result<bool> end_session_now(const Settings& settings, const std::string& id) {
  return guarded([&]() -> Result<bool> {
    auto identity = find(settings, id);
    if (!identity) return false;
    return end_by_force(settings, *identity);
  });
}

Result<std::vector<SessionState>> list_sessions(const Settings& settings) {
  return guarded([&]() -> Result<std::vector<SessionState>> {
    sweep_sessions(settings);
    std::vector<SessionState> states;
    for (const std::string& name : names_in(sessions_directory(settings.runtime_dir))) {
      auto identity = identity_of(name);
      if (!identity) continue;
      if (auto state = look_at(settings, *identity, false)) states.push_back(std::move(*state));
    }
    std::sort(states.begin(), states.end(), [](const SessionState& a, const SessionState& b) {
      auto order = [](SessionIdentity::Kind kind) {
        return kind == SessionIdentity::Kind::kNamed ? 0 : 1;
      };
      return std::pair(order(a.kind), a.id) < std::pair(order(b.kind), b.id);
    });
    return states;
  });
}

Result<std::optional<SessionState>> find_session(const Settings& settings, const std::string& id) {
  return guarded([&]() -> Result<std::optional<SessionState>> {
    auto identity = find(settings, id);
    if (!identity) return std::optional<SessionState>();
    return look_at(settings, *identity, true);
  });
}

Result<std::optional<std::size_t>> rewind_session(const Settings& settings, const std::string& id,
                                                  const std::string& cassette) {
  return guarded([&]() -> Result<std::optional<std::size_t>> {
    auto identity = find(settings, id);
    if (!identity) return std::optional<std::size_t>();
    renew(settings, *identity);
    std::size_t rewound = 0;
    for (const OpenCassette& opened : open_all_cassettes(directory_of(settings, *identity))) {
      if (!cassette.empty() && cassette_key(cassette) != opened.key) continue;
      opened.cursors->rewind();
      ++rewound;
    }
    return std::optional(rewound);
  });
}

Result<std::optional<Advanced>> advance_session(const Settings& settings, const std::string& id,
                                                const std::string& cassette) {
  return guarded([&]() -> Result<std::optional<Advanced>> {
    auto identity = find(settings, id);
    if (!identity) return std::optional<Advanced>();
    renew(settings, *identity);
    for (const OpenCassette& opened : open_all_cassettes(directory_of(settings, *identity))) {
      if (opened.key != cassette_key(cassette)) continue;
      return std::optional(
          Advanced{opened.cursors->advance(*opened.image, false), opened.image->size()});
    }
    if (identity->kind != SessionIdentity::Kind::kNamed) {
      return Error{"the session " + id + " has not opened the cassette " + cassette};
    }
    // Nobody has opened it yet: this process joins for as long as that takes.
    if (!cassette_exists(cassette)) return Error{"there is no cassette " + cassette};
    Settings named = settings;
    named.session = name_of(*identity);
    auto session = Session::join(named, "");
    if (!session) return session.error();
    auto opened = (*session)->open_cassette(cassette);
    if (!opened) return opened.error();
    opened->cursors->hold();
    return std::optional(
        Advanced{opened->cursors->advance(*opened->image, false), opened->image->size()});
  });
}

Result<std::optional<History::Contents>> session_history(const Settings& settings,
                                                         const std::string& id) {
  return guarded([&]() -> Result<std::optional<History::Contents>> {
    auto identity = find(settings, id);
    if (!identity) return std::optional<History::Contents>();
    auto history = History::open(directory_of(settings, *identity) + "/history");
    if (!history) return history.error();
    return std::optional(history->read());
  });
}

}  // namespace cassette
