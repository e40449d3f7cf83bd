// See secret_names.h.
#include "store/redaction/secret_names.h"

#include <algorithm>
#include <utility>

#include "parser/headers.h"

namespace cassette {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The upper and the lower case of a letter are the same modulo 32.
std::uint32_t letter_bit(char c) {
  return std::uint32_t{1} << (static_cast<unsigned char>(c) & 31);
}

/// The names without the mark of ordinary words, with these or without.
std::vector<std::string> select(const std::vector<std::string>& names, bool with_words) {
  std::vector<std::string> result;
  for (const std::string& name : names) {
    const bool is_word = !name.empty() && name.front() == kOrdinaryWord;
    if (!is_word || with_words) result.push_back(name.substr(is_word ? 1 : 0));
  }
  return result;
}

}  // namespace

NameSet::NameSet(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::string& name : names_) {
    std::transform(name.begin(), name.end(), name.begin(), lower);
  }
  names_.erase(std::remove(names_.begin(), names_.end(), std::string()), names_.end());
  auto place = [](const std::string& name) { return std::min(name.size(), kLengths - 1); };
  std::stable_sort(
      names_.begin(), names_.end(),
      [place](const std::string& a, const std::string& b) { return place(a) < place(b); });
  for (const std::string& name : names_) {
    for (std::size_t n = place(name) + 1; n <= kLengths; ++n) ++begin_[n];
    last_letters_[place(name)] |= letter_bit(name.back());
  }
}

bool NameSet::contains(std::string_view name) const {
  if (name.empty()) return false;
  const std::size_t length = std::min(name.size(), kLengths - 1);
  if ((last_letters_[length] & letter_bit(name.back())) == 0) return false;
  for (std::uint32_t n = begin_[length]; n < begin_[length + 1]; ++n) {
    if (equals_ignoring_case(names_[n], name)) return true;
  }
  return false;
}

SecretNames::SecretNames(const std::vector<std::string>& names)
    : all_(select(names, true)), always_(select(names, false)) {}

Hides SecretNames::of_word(std::string_view name) {
  if (equals_ignoring_case(name, "key")) return Hides::kGoogleKeys;
  return equals_ignoring_case(name, "authorization") ? Hides::kText : Hides::kSecrets;
}

}  // namespace cassette
