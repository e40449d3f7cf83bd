// See prune.h.
#include "store/journal/prune.h"

#include <exception>
#include <set>
#include <utility>

#include "store/cassette.h"
#include "store/files.h"
#include "store/journal/journal.h"
#include "store/journal/merge.h"
#include "store/journal/usage.h"
#include "store/session/session.h"

namespace cassette {

namespace {

struct Split {
  Cassette kept;
  std::vector<std::string> removed;  ///< ids
  std::vector<std::string> before;   ///< ids of those that are kept
  std::vector<bool> used;            ///< of those that are kept
};

Split split(Cassette cassette, const std::set<std::string>& asked,
            const std::set<std::string>& used) {
  Split result;
  result.kept.certificates = std::move(cassette.certificates);
  for (Interaction& interaction : cassette.interactions) {
    const bool is_used = used.count(interaction.id) != 0;
    if (!is_used && asked.count(interaction.id) != 0) {
      result.removed.push_back(interaction.id);
      continue;
    }
    result.before.push_back(interaction.id);
    result.used.push_back(is_used);
    result.kept.interactions.push_back(std::move(interaction));
  }
  return result;
}

}  // namespace

Result<std::vector<std::string>> prune_cassette(const Settings& settings, const std::string& path,
                                                const std::vector<std::string>& ids) try {
  // What dead sessions left becomes a part of the cassette first: it may be what is to be removed.
  auto merged = merge_journal(path, settings.runtime_dir, std::nullopt);
  if (!merged) return merged.error();
  auto journal = LockedJournal::make(path);
  if (!journal) return journal.error();
  remove_temporaries(path);
  Result<std::vector<std::string>> result = [&]() -> Result<std::vector<std::string>> {
    auto cassette = load_cassette(path);
    if (!cassette) return cassette.error();
    auto noted = used_ids(settings.state_dir, path);
    if (!noted) return noted.error();
    std::set<std::string> used = std::move(*noted);
    for (std::string& id : ids_played_in_sessions(settings.runtime_dir, path)) {
      used.insert(std::move(id));
    }
    Split parts = split(std::move(*cassette), {ids.begin(), ids.end()}, used);
    if (parts.removed.empty()) return parts.removed;

    // In a file equal interactions are told apart by counting: when one of them goes, the others are
    // called differently. Noted before the cassette is changed, so that nothing that was used ever
    // counts as unused.
    std::vector<std::string> now = parts.before;
    if (auto form = cassette_form(path); form && *form != CassetteForm::kDirectory) {
      give_ids(parts.kept.interactions);
      for (std::size_t i = 0; i < now.size(); ++i) now[i] = parts.kept.interactions[i].id;
    }
    std::vector<std::string> used_now;
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (parts.used[i]) used_now.push_back(now[i]);
    }
    if (auto marked = mark_used(settings.state_dir, path, used_now); !marked) return marked.error();
    if (auto saved = save_cassette(path, parts.kept); !saved) return saved.error();
    std::set<std::string> stale(parts.before.begin(), parts.before.end());
    stale.insert(parts.removed.begin(), parts.removed.end());
    for (const std::string& id : used_now) stale.erase(id);
    auto forgotten = forget_used(settings.state_dir, path, {stale.begin(), stale.end()});
    if (!forgotten) return forgotten.error();
    return parts.removed;
  }();
  if (journal->bytes().empty()) {
    if (auto gone = journal->keep_only({}); !gone && result) return gone.error();
  }
  return result;
} catch (const std::exception& problem) {
  return Error{"cannot prune " + path + ": " + problem.what()};
}

}  // namespace cassette
