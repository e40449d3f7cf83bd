// Takes credentials out of an interaction before anything reaches the disk, and out of both sides
// of a match. Must guess nothing: only what is named is taken out. Thread-safe (const after
// construction).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/interaction.h"
#include "store/match/parameters.h"

namespace cassette {

inline constexpr std::string_view kRedacted = "<redacted>";

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

class Redactor {
 public:
  /// Names compared without case. An empty list switches that part off.
  Redactor(std::vector<std::string> headers, std::vector<std::string> query,
           std::vector<std::string> body);

  bool hides_header(std::string_view name) const { return headers_.contains(name); }
  /// Takes the name as written. `user[password]` is hidden as `password` is.
  bool hides_query(std::string_view parameter) const;
  bool hides_query(const Parameter& parameter) const;
  /// Takes the name as it is meant, decoded.
  bool hides_body(std::string_view key) const { return body_.contains(key); }
  /// Takes the name as written, as hides_query() does.
  bool hides_form_field(std::string_view parameter) const;
  bool hides_form_field(const Parameter& parameter) const;
  bool any_body() const { return !body_.empty(); }

  /// Headers, query parameters, user info, form fields and JSON keys at any depth, in request and
  /// response; compressed bodies are searched decoded (and stored decoded only where something was
  /// found: Content-Encoding is dropped then). A redacted Set-Cookie keeps its name and attributes.
  void redact(Interaction& interaction) const;

  /// The body with its secrets replaced, or the same bytes when there are none (or it is neither
  /// JSON nor a form by its content type).
  std::string redact_body(std::string_view content_type, std::string_view body) const;
  /// Also takes a reference (`/p?q`), and looks for parameters in a fragment too.
  std::string redact_uri(std::string_view uri) const;
  /// The value of a header field: hidden, or with what is hidden of a URI in it taken out
  /// (Location, Content-Location, Referer, Link).
  std::string redact_header(std::string_view name, std::string_view value) const;

 private:
  NameSet headers_;
  NameSet query_;
  NameSet body_;
};

/// The defaults, lower case.
const std::vector<std::string>& default_filter_headers();
const std::vector<std::string>& default_filter_query();
const std::vector<std::string>& default_filter_body();

}  // namespace cassette
