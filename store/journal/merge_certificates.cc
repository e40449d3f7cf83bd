// See merge_certificates.h.
#include "store/journal/merge_certificates.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <tuple>

#include "store/image/image_layout.h"
#include "store/uri.h"

namespace cassette {

namespace {

/// Microseconds since 1970; what was recorded since then is the session's own, or as new. Its token is
/// "<id>@<nanoseconds since 1970>" (session.h). One that is not: nothing is its own.
std::int64_t began(std::string_view session) {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  const std::size_t at = session.rfind('@');
  if (at == std::string_view::npos) return kNever;
  std::int64_t nanoseconds = 0;
  const char* const end = session.data() + session.size();
  const auto [stop, problem] = std::from_chars(session.data() + at + 1, end, nanoseconds);
  return problem == std::errc() && stop == end ? nanoseconds / 1000 : kNever;
}

/// Names of this machine are one place, as in an image.
std::uint64_t place_of(const Interaction& entry) {
  const auto uri = parse_uri(entry.uri);
  return uri ? image_layout::origin_hash(uri->host, uri->port) : 0;
}

bool same_leaf(const ServerCertificate& a, const ServerCertificate& b) {
  return !a.chain.empty() && !b.chain.empty() && a.chain.front() == b.chain.front();
}

/// One record. True: the cassette has changed.
bool bring_in(JournalRecord& record, std::vector<Interaction>& certificates) {
  Interaction& incoming = record.interaction;
  const std::uint64_t place = place_of(incoming);
  auto old = std::find_if(certificates.begin(), certificates.end(),
                          [&](const Interaction& each) { return place_of(each) == place; });
  const bool is_none = incoming.certificate->chain.empty();
  if (old == certificates.end()) {
    if (!is_none) certificates.push_back(std::move(incoming));
    return !is_none;
  }
  const std::int64_t old_time = old->recorded_at.value_or(0);
  const bool is_own = old_time >= began(record.session);
  const bool is_newer = incoming.recorded_at.value_or(0) > old_time;
  if (is_none) {
    // In the session that met it otherwise: one program takes it as it is, another does not.
    if (is_own || !is_newer) return false;
    certificates.erase(old);
    return true;
  }
  if (is_own && same_leaf(*old->certificate, *incoming.certificate)) {
    const bool trusted = old->certificate->trusted && incoming.certificate->trusted;
    if (!is_newer) {
      const bool changes = old->certificate->trusted != trusted;
      old->certificate->trusted = trusted;
      if (changes) old->file.clear();  // of a directory: it is written anew
      return changes;
    }
    incoming.certificate->trusted = trusted;
  } else if (!is_newer) {
    return false;
  }
  *old = std::move(incoming);
  return true;
}

}  // namespace

bool merge_certificates(std::vector<JournalRecord*> records,
                        std::vector<Interaction>& certificates) {
  std::stable_sort(
      records.begin(), records.end(), [](const JournalRecord* a, const JournalRecord* b) {
        return std::tie(a->began, a->pid, a->sequence) < std::tie(b->began, b->pid, b->sequence);
      });
  bool changed = false;
  for (JournalRecord* record : records) changed = bring_in(*record, certificates) || changed;
  return changed;
}

bool drop_older_certificates(std::string_view session, std::vector<Interaction>& certificates) {
  const std::int64_t since = began(session);
  return std::erase_if(certificates, [since](const Interaction& each) {
           return each.recorded_at.value_or(0) < since;
         }) != 0;
}

}  // namespace cassette
