// The list of header fields of one message, in one arena.
// It only stores and compares: what a field means is framing.h's business.
#include "parser/headers.h"

#include <algorithm>

namespace cassette {
namespace {

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

void Headers::add(std::string_view name, std::string_view value) {
  const std::size_t offset = bytes_.size();
  const std::size_t size = offset + name.size() + value.size();
  // The old bytes live until the end of this function: name and value may be views into them
  // (headers.add(headers.at(0).name, ...)).
  std::string old;
  if (size > bytes_.capacity()) {
    old.reserve(std::max<std::size_t>({size, 2 * bytes_.capacity(), 512}));
    old.append(bytes_);
    old.swap(bytes_);
  }
  bytes_.append(name).append(value);
  entries_.push_back({static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(name.size()),
                      static_cast<std::uint32_t>(value.size())});
}

void Headers::clear() {
  bytes_.clear();
  entries_.clear();
}

Headers::Field Headers::at(std::size_t index) const {
  const Entry& entry = entries_[index];
  const std::string_view bytes = bytes_;
  return {bytes.substr(entry.offset, entry.name_length),
          bytes.substr(entry.offset + entry.name_length, entry.value_length)};
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Field field : *this) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Field field : *this) {
    if (!equals_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (equals_ignoring_case(trimmed(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

bool Headers::operator==(const Headers& other) const {
  // The arena holds the fields back to back, so equal bytes and equal lengths are equal fields.
  return bytes_ == other.bytes_ &&
         std::equal(entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(),
                    [](const Entry& a, const Entry& b) {
                      return a.name_length == b.name_length && a.value_length == b.value_length;
                    });
}

}  // namespace cassette
