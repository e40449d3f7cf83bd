// The names under which credentials are found: a list from the settings, taken apart so that asking is quick. Immutable
// once built. Asking allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// Names that are looked up without case.
class NameSet {
 public:
  NameSet() = default;
  explicit NameSet(std::vector<std::string> names);
  bool empty() const { return names_.empty(); }
  bool contains(std::string_view name) const;

 private:
  static constexpr std::size_t kLengths = 64;  ///< longer names share the last place

  std::vector<std::string> names_;  ///< lower case, by length
  /// names_[begin_[n], begin_[n + 1]) have the length n.
  std::array<std::uint32_t, kLengths + 1> begin_{};
  /// For each length a bit for each last letter (modulo 32) that is there. With it nearly every
  /// name that is not in the set is turned down by one load: this is asked for each parameter of
  /// each request.
  std::array<std::uint32_t, kLengths> last_letters_{};
};

/// Which values of a name are taken out.
enum class Hides : std::uint8_t {
  kNothing,
  kGoogleKeys,  ///< those that looks_like_google_key() says yes to
  kSecrets,     ///< those that looks_like_secret() says yes to
  kText,        ///< all but objects and lists in JSON, where the names within decide
  kAll,
};

/// In a list of the settings: before a name that is an ordinary word. (No user writes it: what he names is always hidden.)
inline constexpr char kOrdinaryWord = '?';

class SecretNames {
 public:
  SecretNames() = default;
  /// `?name` hides what looks like a secret alone. `?key` hides a key of Google's alone: it names a thing more often than a
  /// credential. `?authorization` hides any text: it is a credential, or a payment, which is an object.
  explicit SecretNames(const std::vector<std::string>& names);

  /// The same names, of which each hides everything.
  SecretNames without_words() const {
    SecretNames names = *this;
    names.always_ = all_;
    return names;
  }

  bool empty() const { return all_.empty(); }
  Hides find(std::string_view name) const {
    // Nearly every name is in neither, and needs one look.
    if (!all_.contains(name)) return Hides::kNothing;
    return always_.contains(name) ? Hides::kAll : of_word(name);
  }

 private:
  static Hides of_word(std::string_view name);

  NameSet all_;
  NameSet always_;  ///< those that are no ordinary words
};

}  // namespace cassette
