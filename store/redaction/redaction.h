// Takes credentials out of an interaction before anything reaches the disk, and out of both sides
// of a match. Must guess nothing: only what is named is taken out, and, of names that are ordinary words too, what looks
// like a credential. Thread-safe (const after construction).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/interaction.h"
#include "store/match/parameters.h"
#include "store/redaction/placeholder.h"
#include "store/redaction/secret_names.h"

namespace cassette {

class KnownSecrets;

/// What was taken out of a text.
struct Taken {
  std::size_t count = 0;
  /// As they are meant, decoded, so that they are known again where they turn up later.
  std::vector<std::string> values;

  /// `by_name`: it stood under a name that hides it, not somewhere within. There a word may be just a word: what has no
  /// digit is left out.
  void add(const std::string& value, bool by_name);
};

/// What redaction did to an interaction.
struct Redaction {
  /// In the response's body, and in the URIs of its headers (Location, Link). Headers that are hidden as a whole do not count:
  /// programs rarely look into them.
  std::size_t response_values = 0;
  /// Not empty: a body that could not be searched ("the response's body, coded as compress").
  std::string unsearched;
};

class Redactor {
 public:
  /// Names compared without case. An empty list switches that part off. In `query` and `body` a name behind a `?` is an
  /// ordinary word (secret_names.h).
  Redactor(std::vector<std::string> headers, const std::vector<std::string>& query,
           const std::vector<std::string>& body);

  /// By the rules of the version before, which recorded a placeholder for any value of an ordinary word, for a number and
  /// for an empty text: what it recorded is found by these.
  Redactor as_before() const;
  bool is_as_before() const { return is_as_before_; }

  bool hides_header(std::string_view name) const { return headers_.contains(name); }
  /// The name and the value as written. `user[password]` is hidden as `password` is. Allocates nothing unless the name is
  /// encoded.
  bool hides_query(const Parameter& parameter) const;
  bool hides_form_field(const Parameter& parameter) const;
  /// The name of a part of a multipart form.
  bool hides_form_field(std::string_view name, std::string_view value) const;
  /// Takes the name as it is meant, decoded.
  Hides hides_body(std::string_view key) const { return body_.find(key); }
  bool any_body() const { return !body_.empty(); }

  /// Headers, query parameters, user info, form fields and JSON keys at any depth, in request and
  /// response; compressed bodies are searched decoded (and stored decoded only where something was
  /// found: the coding is dropped then from the header that named it; of a body that was cut short what could be
  /// decoded is stored). A redacted Set-Cookie keeps its name and attributes. `known`: gets what was taken out of the
  /// response, and what it knows is taken out of the interaction wherever it stands.
  Redaction redact(Interaction& interaction, KnownSecrets* known = nullptr) const;

  /// The body with its secrets replaced, or the same bytes when there are none.
  std::string redact_body(std::string_view content_type, std::string_view body,
                          Side side = Side::kRequest) const;
  /// Also takes a reference (`/p?q`), and looks for parameters in a fragment too.
  std::string redact_uri(std::string_view uri, Side side = Side::kRequest,
                         Taken* taken = nullptr) const;
  /// The value of a header field: hidden, or with what is hidden of a URI in it taken out
  /// (Location, Content-Location, Referer, Link).
  std::string redact_header(std::string_view name, std::string_view value,
                            Side side = Side::kRequest, Taken* taken = nullptr) const;

 private:
  NameSet headers_;
  SecretNames query_;
  SecretNames body_;
  bool is_as_before_ = false;
};

/// The defaults, lower case.
const std::vector<std::string>& default_filter_headers();
const std::vector<std::string>& default_filter_query();
const std::vector<std::string>& default_filter_body();

}  // namespace cassette
