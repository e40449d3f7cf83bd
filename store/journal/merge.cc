#include "store/journal/merge.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <tuple>
#include <unordered_map>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/files.h"
#include "store/journal/journal.h"
#include "store/log.h"
#include "store/session/session.h"

namespace cassette {

namespace {

struct KeyHash {
  std::size_t operator()(const MatchKey& key) const { return static_cast<std::size_t>(key.low); }
};
using Counts = std::unordered_map<MatchKey, std::size_t, KeyHash>;

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

void sort_by_beginning(std::vector<JournalRecord*>& records) {
  std::stable_sort(
      records.begin(), records.end(), [](const JournalRecord* a, const JournalRecord* b) {
        return std::tie(a->began, a->pid, a->sequence) < std::tie(b->began, b->pid, b->sequence);
      });
}

/// Takes off the records that the cassette has already: their merger died before it removed the
/// journal.
void drop_merged(std::vector<JournalRecord*>& records, const Cassette& cassette) {
  if (records.empty() || cassette.interactions.empty()) return;
  // Only what was recorded at one of the same instants can be the same: saves hashing the others.
  std::unordered_map<std::int64_t, bool> instants;
  for (const JournalRecord* record : records) {
    instants[record->interaction.recorded_at.value_or(0)] = true;
  }
  Counts there;
  for (const Interaction& interaction : cassette.interactions) {
    if (instants.count(interaction.recorded_at.value_or(0)) != 0) {
      ++there[fingerprint(interaction)];
    }
  }
  std::erase_if(records, [&there](const JournalRecord* record) {
    auto found = there.find(fingerprint(record->interaction));
    if (found == there.end() || found->second == 0) return false;
    --found->second;
    return true;
  });
}

/// Takes the old interactions that a new one takes the place of out of the cassette.
void drop_replaced(Cassette& cassette, const std::vector<JournalRecord*>& replacing,
                   const Matcher& matcher) {
  std::unordered_multimap<MatchKey, const Headers*, KeyHash> keys;
  for (const JournalRecord* record : replacing) {
    keys.emplace(matcher.key(view_of(record->interaction)), &record->interaction.request.headers);
  }
  std::erase_if(cassette.interactions, [&](const Interaction& old) {
    auto [begin, end] = keys.equal_range(matcher.key(view_of(old)));
    return std::any_of(begin, end, [&](const auto& entry) {
      return matcher.headers_match(old.request.headers, *entry.second);
    });
  });
}

/// What is to become of each record.
struct Sorted {
  std::vector<JournalRecord*> adding, replacing, rewriting;
  std::vector<const JournalRecord*> staying;
  std::size_t dropped = 0;
};

Sorted sort_out(JournalContents& contents, const std::string& runtime_dir,
                const std::optional<EndedSession>& session) {
  std::size_t of_session = 0;
  if (session) {
    for (const JournalRecord& record : contents.records) {
      if (record.session == session->token) ++of_session;
    }
  }
  Sorted sorted;
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
    if (!ours || session->died || !replaces) {
      sorted.adding.push_back(&record);
    } else if (!session->ended_well) {
      ++sorted.dropped;
    } else if (record.mode == RecordMode::kAll && session->matcher != nullptr) {
      sorted.replacing.push_back(&record);
    } else if (record.mode == RecordMode::kRewrite && session->recorded <= of_session) {
      sorted.rewriting.push_back(&record);
    } else {
      sorted.adding.push_back(&record);
    }
  }
  return sorted;
}

/// The bytes of the records that stay, in their order.
std::string remaining(const std::string& bytes, const Sorted& sorted,
                      const JournalContents& contents) {
  std::vector<std::pair<std::size_t, std::size_t>> places = contents.unknown;
  for (const JournalRecord* record : sorted.staying) {
    places.emplace_back(record->offset, record->size);
  }
  std::sort(places.begin(), places.end());
  std::string kept;
  for (auto [offset, size] : places) kept.append(bytes, offset, size);
  return kept;
}

void append_all(Cassette& cassette, std::vector<JournalRecord*>& records) {
  sort_by_beginning(records);
  for (JournalRecord* record : records) {
    cassette.interactions.push_back(std::move(record->interaction));
  }
}

/// For readers: what is not merged has no place in a file yet, but needs an id all the same.
void append_unmerged(Cassette& cassette, std::vector<JournalRecord*>& records) {
  for (JournalRecord* record : records) {
    char id[17];
    std::snprintf(id, sizeof id, "%016llx",
                  static_cast<unsigned long long>(fingerprint(record->interaction).high));
    record->interaction.id = id;
  }
  append_all(cassette, records);
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

  if (!sorted.adding.empty() || !sorted.replacing.empty() || !sorted.rewriting.empty()) {
    Cassette cassette;
    if (cassette_exists(path)) {
      // Also before it is replaced as a whole: what does not parse is never overwritten.
      auto loaded = load_cassette(path);
      if (!loaded) return loaded.error();
      cassette = std::move(*loaded);
    }
    if (!sorted.rewriting.empty()) cassette.interactions.clear();
    drop_merged(sorted.adding, cassette);
    if (!sorted.replacing.empty()) drop_replaced(cassette, sorted.replacing, *session->matcher);
    std::vector<JournalRecord*> incoming = std::move(sorted.adding);
    incoming.insert(incoming.end(), sorted.replacing.begin(), sorted.replacing.end());
    incoming.insert(incoming.end(), sorted.rewriting.begin(), sorted.rewriting.end());
    if (!incoming.empty()) {
      std::size_t before = cassette.interactions.size();
      append_all(cassette, incoming);
      if (auto saved = save_cassette(path, cassette); !saved) return saved.error();
      report.merged = incoming.size();
      for (std::size_t i = before; i < cassette.interactions.size(); ++i) {
        if (!cassette.interactions[i].file.empty()) {
          report.new_ids.push_back(cassette.interactions[i].file);
        }
      }
    }
  }
  std::string kept = remaining(journal.bytes(), sorted, contents);
  if (kept.size() != journal.bytes().size() || kept.empty()) {
    if (auto replaced = journal.replace(kept); !replaced) return replaced.error();
  }
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
  if (contents.records.empty() || cassette_exists(path)) {
    auto cassette = load_cassette(path);
    if (!cassette || contents.records.empty()) return cassette;
    std::vector<JournalRecord*> records;
    for (JournalRecord& record : contents.records) records.push_back(&record);
    drop_merged(records, *cassette);
    append_unmerged(*cassette, records);
    return cassette;
  }
  Cassette cassette;
  std::vector<JournalRecord*> records;
  for (JournalRecord& record : contents.records) records.push_back(&record);
  append_unmerged(cassette, records);
  return cassette;
} catch (const std::exception& problem) {
  return Error{"cannot read " + path + ": " + problem.what()};
}

}  // namespace cassette
