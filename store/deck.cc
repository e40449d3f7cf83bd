// See deck.h.
#include "store/deck.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <exception>
#include <utility>

#include "store/log.h"
#include "store/player/fallback_player.h"
#include "store/player/request_note.h"
#include "store/settings/cassette_list.h"
#include "store/settings/setting_names.h"
#include "store/settings/tree.h"

namespace cassette {

namespace {

std::string working_directory() {
  char path[PATH_MAX];
  return getcwd(path, sizeof path) != nullptr ? path : "/";
}

/// Something in the paths of its cassettes is filled in.
bool has_key(const Settings& settings) {
  auto has_brace = [](const std::string& text) { return text.find('{') != std::string::npos; };
  return has_brace(settings.cassette) ||
         std::any_of(settings.fallbacks.begin(), settings.fallbacks.end(), has_brace);
}

}  // namespace

Deck::Deck(Settings settings, std::string tree, std::string problem)
    : tree_(std::move(tree)), problem_(std::move(problem)), settings_(std::move(settings)) {
  // <pid>-<ns>:<program>:<directory>
  std::string_view rest = tree_;
  auto next = [&rest] {
    std::size_t end = std::min(rest.find(':'), rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
  };
  next();
  program_ = next();
  program_.resize(std::min(program_.find('@'), program_.size()));
  directory_ = rest;
  if (program_.empty()) program_ = program_invocation_short_name;
  if (directory_.empty()) directory_ = working_directory();
  seats_.push_back({settings_.session, nullptr});
}

Deck::~Deck() = default;

// --- opening ---------------------------------------------------------------------------------------

Settings Deck::settings_in(const Seat& seat) const {
  Settings settings = settings_;
  settings.session = seat.name;
  return settings;
}

Result<std::shared_ptr<Session>> Deck::session_of(Seat& seat) {
  if (!seat.session) {
    auto joined = Session::join(settings_in(seat), tree_);
    if (!joined) return joined.error();
    seat.session = std::move(*joined);
  }
  return seat.session;
}

Result<std::string> Deck::authority_file() {
  std::lock_guard guard(mutex_);
  if (!problem_.empty()) return Error{problem_};
  auto session = session_of(seats_.front());
  if (!session) return session.error();
  return (*session)->directory() + "/authority";
}

Result<std::string> Deck::resolve(const Settings& settings) const {
  return cassette_path(settings, program_, directory_);
}

std::shared_ptr<Player> Deck::broken(const std::string& problem, const std::string& path,
                                     std::shared_ptr<Session> session) const {
  log(LogLevel::kError, problem);
  char list[PATH_MAX];
  auto get = [this](const char* name) {
    return std::string_view(name) == kTreeVariable ? tree_.c_str() : settings_.runtime_dir.c_str();
  };
  const bool has_list = !tree_.empty() && not_entered_file(get, list, sizeof list);
  return Player::broken(problem, path, settings_.mode, std::move(session), has_list ? list : "");
}

/// `tracking`: of an inserted cassette; nullptr: the session itself tracks it.
std::shared_ptr<Player> Deck::open(const std::string& path, bool inserted,
                                   std::shared_ptr<Tracking>* tracking) {
  auto joined = session_of(seats_.back());
  if (!joined) return broken(joined.error().message, path, nullptr);
  auto cassette = (*joined)->open_cassette(path);
  if (!cassette) return broken(cassette.error().message, path, *joined);
  if (!inserted) {
    cassette->cursors->hold();
  } else {
    auto started = Tracking::start(cassette->users(), cassette->cursors);
    if (!started) return broken(started.error().message, path, *joined);
    *tracking = std::make_shared<Tracking>(std::move(*started));
  }
  return Player::open(settings_in(seats_.back()), path, *joined, std::move(*cassette));
}

Result<std::shared_ptr<Player>> Deck::open_fallback(const std::string& path) {
  auto joined = session_of(seats_.back());
  if (!joined) return joined.error();
  auto cassette = (*joined)->open_fallback(path);
  if (!cassette) return cassette.error();
  cassette->cursors->hold();
  Settings settings = settings_in(seats_.back());
  settings.mode = RecordMode::kNone;
  return Player::open(settings, path, *joined, std::move(*cassette));
}

/// The cassette of the settings, together with those that it falls back on.
std::shared_ptr<Player> Deck::with_fallbacks(std::shared_ptr<Player> first) {
  // A mode that plays nothing asks none of them.
  const bool plays = settings_.mode != RecordMode::kAll && settings_.mode != RecordMode::kRewrite;
  if (!plays || !first->index()) return first;  // a broken one answers by itself
  auto paths = fallback_paths(settings_, program_, directory_);
  if (!paths) return broken(paths.error().message, first->cassette_path(), nullptr);
  std::vector<std::shared_ptr<Player>> players{first};
  for (const std::string& path : *paths) {
    auto player = open_fallback(path);
    if (!player) {
      auto joined = session_of(seats_.back());
      return broken(player.error().message, path, joined ? *joined : nullptr);
    }
    players.push_back(std::move(*player));
  }
  return players.size() == 1 ? first : play_with_fallbacks(std::move(players));
}

std::shared_ptr<Player> Deck::base() {
  if (base_) return base_;
  if (!problem_.empty()) {
    base_ = Player::broken(problem_, "-", settings_.mode, nullptr);
  } else if (auto path = resolve(settings_); !path) {
    base_ = broken(path.error().message, settings_.cassette, nullptr);
  } else {
    base_ = open(*path, false, nullptr);
    if (!settings_.fallbacks.empty()) base_ = with_fallbacks(std::move(base_));
  }
  return base_;
}

std::shared_ptr<Player> Deck::top() {
  if (inserted_.empty()) return base();
  Inserted& last = inserted_.back();
  if (last.player) return last.player;
  if (!problem_.empty() || !last.problem.empty()) {
    last.player = Player::broken(problem_.empty() ? last.problem : problem_, last.path,
                                 settings_.mode, nullptr);
    return last.player;
  }
  // One that is there already keeps its player, and with it its place.
  for (const Inserted& other : inserted_) {
    if (other.player && other.path == last.path) {
      last.tracking = other.tracking;
      return last.player = other.player;
    }
  }
  // The cassette of the settings is the session's to track, also when nothing has asked for it yet.
  if (auto path = resolve(settings_); path && *path == last.path) return last.player = base();
  return last.player = open(last.path, true, &last.tracking);
}

std::shared_ptr<Player> Deck::current() try {
  std::lock_guard guard(mutex_);
  return top();
} catch (const std::exception& problem) {
  return Player::broken(std::string("cannot open the cassette: ") + problem.what(), "-",
                        settings_.mode, nullptr);
}

void Deck::changed() { generation_.fetch_add(1, std::memory_order_release); }

// --- the C API -------------------------------------------------------------------------------------

Result<void> Deck::insert(const std::string& path) {
  std::lock_guard guard(mutex_);
  Settings settings = settings_;
  settings.cassette = path;
  settings.cassette_base = working_directory();
  Inserted inserted;
  inserted.path = path;
  if (path.empty()) {
    inserted.problem = "a cassette without a name cannot be inserted";
  } else if (auto resolved = resolve(settings); !resolved) {
    inserted.problem = resolved.error().message;
  } else {
    inserted.path = std::move(*resolved);
  }
  inserted_.push_back(std::move(inserted));
  std::shared_ptr<Player> player = top();
  changed();
  auto usable = player->index();  // a broken one says why
  if (!usable) return usable.error();
  return {};
}

Result<void> Deck::eject() {
  std::lock_guard guard(mutex_);
  if (inserted_.empty()) return Error{"nothing is inserted that could be ejected"};
  inserted_.pop_back();
  changed();
  return {};
}

Result<Registered> Deck::start_session(const std::string& id) {
  std::lock_guard guard(mutex_);
  if (!problem_.empty()) return Error{problem_};
  auto registered = register_session(settings_, id);
  if (!registered) return registered;
  if (registered->outcome == Registration::kPoolFull) return registered;
  seats_.push_back({registered->id, nullptr});
  auto joined = session_of(seats_.back());
  if (!joined) {
    seats_.pop_back();
    return joined.error();
  }
  forget_players();
  return registered;
}

Result<void> Deck::end_session() {
  std::lock_guard guard(mutex_);
  if (seats_.size() == 1) return Error{"no session was started that could be ended"};
  std::shared_ptr<Session> left = std::move(seats_.back().session);
  seats_.pop_back();
  forget_players();
  if (left) left->leave(true);
  return {};
}

/// They belong to another session, or to another path.
void Deck::forget_players() {
  base_.reset();
  for (Inserted& inserted : inserted_) {
    inserted.player.reset();
    inserted.tracking.reset();
  }
  changed();
}

Result<void> Deck::put_context(const std::string& key, const std::string& value) {
  const SettingName* setting = find_setting("CASSETTE_CONTEXT");
  const std::string pair = key + "=" + value;
  if (pair.find(',') != std::string::npos || !setting_value_ok(*setting, pair.c_str())) {
    return Error{"\"" + pair + "\" cannot be in the context: allowed are " + setting->allowed};
  }
  std::lock_guard guard(mutex_);
  settings_.context[key] = value;
  if (has_key(settings_)) {
    base_.reset();
    changed();
  }
  return {};
}

const char* Deck::context(const std::string& key) {
  std::lock_guard guard(mutex_);
  auto found = settings_.context.find(key);
  if (found == settings_.context.end()) return nullptr;
  std::unique_ptr<std::string>& text = context_texts_[key];
  if (!text || *text != found->second) {
    if (text) old_texts_.push_back(std::move(text));
    text = std::make_unique<std::string>(found->second);
  }
  return text->c_str();
}

void Deck::clear_context() {
  std::lock_guard guard(mutex_);
  settings_.context.clear();
  if (has_key(settings_)) {
    base_.reset();
    changed();
  }
}

std::map<std::string, std::string> Deck::for_children() {
  std::lock_guard guard(mutex_);
  std::map<std::string, std::string> variables;
  // What cannot be resolved is left to the child, which fails with the same sentence.
  std::vector<std::string> cassettes{settings_.cassette};
  cassettes.insert(cassettes.end(), settings_.fallbacks.begin(), settings_.fallbacks.end());
  if (!inserted_.empty()) cassettes = {inserted_.back().path};
  for (std::string& cassette : cassettes) {
    if (!inserted_.empty() || cassette.starts_with('/')) continue;
    const std::string& base =
        settings_.cassette_base.empty() ? directory_ : settings_.cassette_base;
    cassette.insert(0, base + "/");
  }
  variables["CASSETTE"] = join_cassettes(cassettes);
  variables["CASSETTE_SESSION"] = seats_.back().name;
  std::string& context = variables["CASSETTE_CONTEXT"];
  for (const auto& [key, value] : settings_.context) {
    context += (context.empty() ? "" : ",") + key + "=" + value;
  }
  return variables;
}

void Deck::keep_open(const KeepFile& keep) {
  std::lock_guard guard(mutex_);
  top();  // opens the session
  for (Player* player : players()) player->keep_open(keep);
  for (const Seat& seat : seats_) {
    if (seat.session) seat.session->keep_open(keep);
  }
}

// --- fork and end ----------------------------------------------------------------------------------

/// Each once.
std::set<Player*> Deck::players() const {
  std::set<Player*> all{base_.get()};
  for (const Inserted& inserted : inserted_) all.insert(inserted.player.get());
  all.erase(nullptr);
  return all;
}

void Deck::before_fork() {
  mutex_.lock();
  for (Player* player : players()) player->before_fork();
}

void Deck::after_fork_in_parent() {
  for (Player* player : players()) player->after_fork();
  mutex_.unlock();
}

void Deck::after_fork_in_child() {
  forget_thread_ids();
  after_fork_in_parent();
  if (settings_.session_scope != SessionScope::kProcess) return;
  std::lock_guard guard(mutex_);
  if (!seats_.back().name.empty()) return;
  // The parent's session shall not live as long as we do; ours is made when it is needed.
  if (seats_.back().session) seats_.back().session->abandon();
  seats_.back().session.reset();
  forget_players();
}

void Deck::leave(bool ended_well) {
  std::lock_guard guard(mutex_);
  const auto& own = seats_.front().session;
  // Else others end the session, and what is recorded until the last moment is recorded by what is kept.
  if (own && own->is_still_there()) drop_inherited_files();
  while (seats_.size() > 1) {
    if (seats_.back().session) seats_.back().session->leave(ended_well);
    seats_.pop_back();
  }
  if (seats_.front().session) {
    seats_.front().session->leave(ended_well);
  } else if (problem_.empty()) {
    cassette::end_session(settings_, tree_, ended_well);
  }
}

}  // namespace cassette
