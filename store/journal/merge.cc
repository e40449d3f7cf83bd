#include "store/journal/merge.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/journal/journal.h"
#include "store/journal/merge_certificates.h"
#include "store/log.h"
#include "store/session/session.h"

namespace cassette {

namespace {

struct KeyHash {
  std::size_t operator()(const MatchKey& key) const { return static_cast<std::size_t>(key.low); }
};

using Records = std::vector<JournalRecord*>;

/// What makes two interactions the same recording. Header fields stay out: a cassette's format may
/// put fields of one name together.
MatchKey fingerprint(const Interaction& interaction) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  auto number = [&state](std::uint64_t value) {
    XXH3_128bits_update(&state, &value, sizeof value);
  };
  auto text = [&](std::string_view value) {
    number(value.size());
    XXH3_128bits_update(&state, value.data(), value.size());
  };
  text(interaction.request.method);
  text(interaction.uri);
  text(interaction.request.body);
  text(interaction.error);
  if (interaction.error.empty()) {
    text(interaction.response.body);
    number(static_cast<std::uint64_t>(interaction.response.status));
  }
  number(interaction.recorded_at ? static_cast<std::uint64_t>(*interaction.recorded_at) : 0);
  XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return {hash.high64, hash.low64};
}

void sort_by_beginning(Records& records) {
  std::stable_sort(
      records.begin(), records.end(), [](const JournalRecord* a, const JournalRecord* b) {
        return std::tie(a->began, a->pid, a->sequence) < std::tie(b->began, b->pid, b->sequence);
      });
}

/// The interactions of the cassette that stand for these records already, because their merger died
/// before it removed the journal. Takes their records off.
std::vector<bool> take_off_merged(Records& records, const Cassette& cassette) {
  std::vector<bool> known(cassette.interactions.size(), false);
  if (records.empty() || cassette.interactions.empty()) return known;
  // Only what was recorded at one of the same instants can be the same: saves hashing the others.
  std::unordered_set<std::int64_t> instants;
  for (const JournalRecord* record : records) {
    instants.insert(record->interaction.recorded_at.value_or(0));
  }
  std::unordered_multimap<MatchKey, std::size_t, KeyHash> there;
  for (std::size_t i = cassette.interactions.size(); i-- > 0;) {
    const Interaction& interaction = cassette.interactions[i];
    if (instants.count(interaction.recorded_at.value_or(0)) != 0) {
      there.emplace(fingerprint(interaction), i);
    }
  }
  std::erase_if(records, [&](const JournalRecord* record) {
    auto found = there.find(fingerprint(record->interaction));
    if (found == there.end()) return false;
    known[found->second] = true;
    there.erase(found);
    return true;
  });
  return known;
}

/// Takes interactions out of the cassette, but for those that are marked in `stay`.
template <typename Goes>
void take_out(Cassette& cassette, const std::vector<bool>& stay, Goes goes) {
  std::vector<Interaction> left;
  left.reserve(cassette.interactions.size());
  for (std::size_t i = 0; i < cassette.interactions.size(); ++i) {
    Interaction& interaction = cassette.interactions[i];
    if (stay[i] || !goes(interaction)) left.push_back(std::move(interaction));
  }
  cassette.interactions = std::move(left);
}

/// Old interactions that new ones take the place of.
class Replaced {
 public:
  Replaced(const Records& replacing, const Matcher& matcher) : matcher_(matcher) {
    for (const JournalRecord* record : replacing) {
      keys_.emplace(matcher.key(view_of(record->interaction)),
                    &record->interaction.request.headers);
    }
  }
  bool operator()(const Interaction& old) const {
    auto [begin, end] = keys_.equal_range(matcher_.key(view_of(old)));
    return std::any_of(begin, end, [&](const auto& entry) {
      return matcher_.headers_match(old.request.headers, *entry.second);
    });
  }

 private:
  const Matcher& matcher_;
  std::unordered_multimap<MatchKey, const Headers*, KeyHash> keys_;
};

/// What is to become of each record.
struct Sorted {
  Records adding, replacing, rewriting;
  Records certificates;  ///< of servers: neither added nor replacing (merge_certificates.h)
  std::vector<const JournalRecord*> staying;
  std::size_t dropped = 0;
  std::size_t of_session = 0;
};

Sorted sort_out(JournalContents& contents, const std::string& runtime_dir,
                const std::optional<EndedSession>& session) {
  Sorted sorted;
  if (session) {
    for (const JournalRecord& record : contents.records) {
      if (record.session == session->token && !record.interaction.certificate) ++sorted.of_session;
    }
  }
  std::unordered_map<std::string, bool> alive;
  for (JournalRecord& record : contents.records) {
    bool ours = session && record.session == session->token;
    if (!ours) {
      auto [known, first] = alive.try_emplace(record.session, false);
      if (first) known->second = session_may_record(runtime_dir, record.session);
      if (known->second) {
        sorted.staying.push_back(&record);
        continue;
      }
    }
    bool replaces = record.mode == RecordMode::kAll || record.mode == RecordMode::kRewrite;
    const bool counts = !record.interaction.certificate;
    if (ours && !session->died && !session->ended_well && (replaces || session->discards)) {
      sorted.dropped += counts ? 1 : 0;
    } else if (!counts) {
      sorted.certificates.push_back(&record);
    } else if (!ours || session->died) {
      sorted.adding.push_back(&record);
    } else if (!replaces) {
      sorted.adding.push_back(&record);
    } else if (record.mode == RecordMode::kAll && session->matcher != nullptr) {
      sorted.replacing.push_back(&record);
    } else if (record.mode == RecordMode::kRewrite && session->recorded <= sorted.of_session) {
      sorted.rewriting.push_back(&record);
    } else {
      sorted.adding.push_back(&record);
    }
  }
  return sorted;
}

/// Where the records that stay are.
std::vector<std::pair<std::size_t, std::size_t>> remaining(const Sorted& sorted,
                                                           const JournalContents& contents) {
  std::vector<std::pair<std::size_t, std::size_t>> places = contents.unknown;
  for (const JournalRecord* record : sorted.staying) {
    places.emplace_back(record->offset, record->size);
    if (record->close_size != 0) places.emplace_back(record->close_offset, record->close_size);
  }
  return places;
}

/// Puts the records where their requests began: behind the old ones, but for what was merged by others
/// meanwhile and began later. Older interactions keep the order that somebody may have given them.
void add_all(Cassette& cassette, Records& records) {
  if (records.empty()) return;
  sort_by_beginning(records);
  auto began_later = [](const Interaction& old, const JournalRecord* record) {
    return old.recorded_at.value_or(0) > record->interaction.recorded_at.value_or(0);
  };
  std::vector<Interaction>& all = cassette.interactions;
  std::size_t begin = all.size();
  while (begin > 0 && began_later(all[begin - 1], records.front())) --begin;
  std::vector<Interaction> later(
      std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(begin)),
      std::make_move_iterator(all.end()));
  all.resize(begin);
  auto next = later.begin();
  for (JournalRecord* record : records) {
    while (next != later.end() && !began_later(*next, record)) all.push_back(std::move(*next++));
    all.push_back(std::move(record->interaction));
  }
  all.insert(all.end(), std::make_move_iterator(next), std::make_move_iterator(later.end()));
}

void give_unmerged_id(Interaction& interaction) {
  char id[17];
  std::snprintf(id, sizeof id, "%016llx",
                static_cast<unsigned long long>(fingerprint(interaction).high));
  interaction.id = id;
}

/// For readers: what is not merged has no place in a file yet, but needs an id all the same.
void add_unmerged(Cassette& cassette, Records& records, Records certificates) {
  for (JournalRecord* record : records) give_unmerged_id(record->interaction);
  for (JournalRecord* record : certificates) give_unmerged_id(record->interaction);
  add_all(cassette, records);
  merge_certificates(std::move(certificates), cassette.certificates);
}

/// The cassette, with what is to come into it. False: it has that already.
Result<bool> bring_in(const std::string& path, Sorted& sorted, const Matcher* matcher,
                      Cassette& cassette, MergeReport& report) {
  if (cassette_exists(path)) {
    // Also before it is replaced as a whole: what does not parse is never overwritten.
    auto loaded = load_cassette(path);
    if (!loaded) return loaded.error();
    cassette = std::move(*loaded);
  }
  const std::size_t before = cassette.interactions.size();
  Records incoming;
  auto add = [&incoming](const Records& records) {
    incoming.insert(incoming.end(), records.begin(), records.end());
  };
  bool changed = false;
  if (!sorted.rewriting.empty()) {
    changed = drop_older_certificates(sorted.rewriting.front()->session, cassette.certificates);
    std::vector<bool> known = take_off_merged(sorted.rewriting, cassette);
    take_out(cassette, known, [](const Interaction&) { return true; });
    add(sorted.rewriting);
  }
  if (!sorted.replacing.empty()) {
    const Replaced replaced(sorted.replacing, *matcher);
    std::vector<bool> known = take_off_merged(sorted.replacing, cassette);
    take_out(cassette, known, replaced);
    add(sorted.replacing);
  }
  take_off_merged(sorted.adding, cassette);
  add(sorted.adding);
  changed = changed || cassette.interactions.size() != before || !incoming.empty();
  changed = merge_certificates(sorted.certificates, cassette.certificates) || changed;
  report.merged = incoming.size();
  add_all(cassette, incoming);
  return changed;
}

}  // namespace

Result<MergeReport> merge_journal(const std::string& path, const std::string& runtime_dir,
                                  const std::optional<EndedSession>& session) try {
  MergeReport report;
  auto opened = LockedJournal::open(path);
  if (!opened) return opened.error();
  if (!*opened) return report;
  LockedJournal& journal = **opened;
  JournalContents contents = read_journal(journal.bytes(), journal.path());
  report.damaged_bytes = contents.damaged_bytes;
  if (contents.damaged_bytes != 0) {
    log(LogLevel::kWarn, journal.path() + ": " + std::to_string(contents.damaged_bytes) +
                             " bytes are no whole record and are left out");
  }
  if (!contents.unknown.empty()) {
    log(LogLevel::kWarn, journal.path() + ": " + std::to_string(contents.unknown.size()) +
                             " records cannot be understood and are kept as they are");
  }
  Sorted sorted = sort_out(contents, runtime_dir, session);
  report.kept = sorted.staying.size();
  report.dropped = sorted.dropped;
  report.of_session = sorted.of_session;

  remove_temporaries(path);
  remove_temporaries(journal.path());
  if (!sorted.adding.empty() || !sorted.replacing.empty() || !sorted.rewriting.empty() ||
      !sorted.certificates.empty()) {
    Cassette cassette;
    auto changed = bring_in(path, sorted, session ? session->matcher : nullptr, cassette, report);
    if (!changed) return changed.error();
    if (*changed) {
      std::unordered_set<std::string> old;
      for (const Interaction& interaction : cassette.interactions) old.insert(interaction.file);
      const bool replaces = !sorted.replacing.empty() || !sorted.rewriting.empty();
      if (auto form = cassette_form(path); replaces && form && *form == CassetteForm::kDirectory) {
        if (auto synced = journal.sync(); !synced) return synced.error();
      }
      if (auto saved = save_cassette(path, cassette); !saved) return saved.error();
      for (const Interaction& interaction : cassette.interactions) {
        if (old.count(interaction.file) == 0) report.new_ids.push_back(interaction.file);
      }
    }
  }
  if (auto kept = journal.keep_only(remaining(sorted, contents)); !kept) return kept.error();
  return report;
} catch (const std::exception& problem) {
  return Error{"cannot merge the journal of " + path + ": " + problem.what()};
}

Result<Cassette> load_with_journal(const std::string& path) try {
  // The journal first: a merger that comes between leaves its records in both, never in neither.
  std::string journal = journal_path(path);
  JournalContents contents;
  auto bytes = read_file(journal);
  if (bytes) contents = read_journal(*bytes, journal);
  Records records;
  Records certificates;
  for (JournalRecord& record : contents.records) {
    (record.interaction.certificate ? certificates : records).push_back(&record);
  }
  Cassette cassette;
  if (contents.records.empty() || cassette_exists(path)) {
    auto loaded = load_cassette(path);
    if (!loaded) return loaded;
    cassette = std::move(*loaded);
    take_off_merged(records, cassette);
  }
  add_unmerged(cassette, records, std::move(certificates));
  return cassette;
} catch (const std::exception& problem) {
  return Error{"cannot read " + path + ": " + problem.what()};
}

}  // namespace cassette
