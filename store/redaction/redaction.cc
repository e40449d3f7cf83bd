// Names, URIs and header fields. See redaction.h; body_secrets.h looks into bodies, redact_interaction.cc has the whole.
#include "store/redaction/redaction.h"

#include <algorithm>
#include <utility>

#include "store/match/parameters.h"
#include "store/redaction/body_secrets.h"

namespace cassette {
namespace {

bool is_hidden(Hides hides, std::string_view value) {
  switch (hides) {
    case Hides::kNothing:
      return false;
    case Hides::kGoogleKeys:
      return looks_like_google_key(value);
    case Hides::kSecrets:
      return looks_like_secret(value);
    case Hides::kText:
    case Hides::kAll:
      return true;
  }
  return true;
}

/// A parameter's own name, then, for `user[password]` or `token[]`, the last name in it.
Hides find_parameter(const SecretNames& names, std::string_view name) {
  if (const Hides hides = names.find(name); hides != Hides::kNothing) return hides;
  while (name.size() > 2 && name.substr(name.size() - 2) == "[]") name.remove_suffix(2);
  if (!name.empty() && name.back() == ']') {
    name.remove_suffix(1);
    name = name.substr(name.rfind('[') + 1);  // npos + 1 is the beginning
  }
  return names.find(name);
}

bool hides_parameter(const SecretNames& names, const Parameter& parameter) {
  if (names.empty()) return false;
  const Hides hides = parameter.plain_name ? names.find(parameter.name)
                                           : find_parameter(names, percent_decoded(parameter.name));
  return is_hidden(hides, parameter.value);
}

/// A cookie is given away by its name alone, and most hold no secret: known again is what looks like one.
std::string redact_set_cookie(std::string_view text, Side side, Taken* taken) {
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::size_t equals = text.find('=');
  const std::size_t begin = equals < end ? equals + 1 : 0;
  const std::string_view value = text.substr(begin, end - begin);
  std::string result(text.substr(0, begin));
  std::string placeholder = placeholder_for(value, side);
  if (taken != nullptr && looks_like_secret(value) && value != placeholder)
    taken->add(percent_decoded(value), true);
  // The name of one without a value looks like that of another then, but nothing is left of it.
  result += placeholder.empty() ? kRedacted : placeholder;
  result += text.substr(end);
  return result;
}

}  // namespace

void Taken::add(const std::string& value, bool by_name) {
  const bool digit =
      std::any_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (by_name || digit) values.emplace_back(without_scheme(value));
}

Redactor::Redactor(std::vector<std::string> headers, const std::vector<std::string>& query,
                   const std::vector<std::string>& body)
    : headers_(std::move(headers)), query_(query), body_(body) {}

Redactor Redactor::as_before() const {
  Redactor before = *this;
  before.query_ = query_.without_words();
  before.body_ = body_.without_words();
  before.is_as_before_ = true;
  return before;
}

bool Redactor::hides_query(const Parameter& parameter) const {
  return hides_parameter(query_, parameter);
}

bool Redactor::hides_form_field(const Parameter& parameter) const {
  return hides_parameter(body_, parameter);
}

bool Redactor::hides_form_field(std::string_view name, std::string_view value) const {
  return is_hidden(find_parameter(body_, name), value);
}

std::string Redactor::redact_uri(std::string_view uri, Side side, Taken* taken) const {
  std::string result;
  result.reserve(uri.size());
  std::string_view rest = uri;

  // "scheme://" or "//": an authority follows, and perhaps user info in it.
  const std::size_t slashes = rest.find("//");
  if (slashes != std::string_view::npos && rest.find_first_of("/?#") == slashes &&
      (slashes == 0 || rest[slashes - 1] == ':')) {
    result += rest.substr(0, slashes + 2);
    rest.remove_prefix(slashes + 2);
    const std::size_t at = rest.substr(0, rest.find_first_of("/?#")).rfind('@');
    if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  }

  // The query, and then the fragment: OAuth's implicit flow puts tokens there.
  std::size_t begin = rest.find_first_of("?#");
  while (!query_.empty() && begin != std::string_view::npos) {
    result += rest.substr(0, begin + 1);
    rest.remove_prefix(begin + 1);
    std::string_view list = rest.substr(0, rest.find('#'));
    rest.remove_prefix(list.size());
    Parameter parameter;
    const char* written = list.data();
    for (std::string_view left = list; next_parameter(left, parameter);) {
      if (!parameter.has_value || !hides_query(parameter)) continue;
      const std::string value = percent_decoded(parameter.value);
      const std::string placeholder = placeholder_for(value, side);
      if (taken != nullptr && value != placeholder) {
        ++taken->count;
        taken->add(value, true);
      }
      result.append(written, parameter.value.data());
      result += placeholder.empty() ? kRedacted : placeholder;
      written = parameter.value.data() + parameter.value.size();
    }
    result.append(written, list.data() + list.size());
    begin = rest.find('#');
  }
  result += rest;
  return result;
}

std::string Redactor::redact_header(std::string_view name, std::string_view value, Side side,
                                    Taken* taken) const {
  if (hides_header(name)) {
    if (equals_ignoring_case(name, "Set-Cookie")) return redact_set_cookie(value, side, taken);
    std::string placeholder = placeholder_for(value, side);
    if (taken != nullptr && value != placeholder) taken->add(std::string(value), true);
    return placeholder.empty() ? std::string(kRedacted) : placeholder;
  }
  if (equals_ignoring_case(name, "Location") || equals_ignoring_case(name, "Content-Location") ||
      equals_ignoring_case(name, "Referer")) {
    return redact_uri(value, side, taken);
  }
  if (!equals_ignoring_case(name, "Link")) return std::string(value);
  // `<uri>; rel=next, <uri>; rel=last` (RFC 8288)
  std::string result;
  for (;;) {
    const std::size_t open = value.find('<');
    std::size_t close = open == std::string_view::npos ? open : value.find('>', open);
    // What an earlier redaction left in a URI ends none.
    while (close != std::string_view::npos && close > open + kRedacted.size() &&
           value.substr(close + 1 - kRedacted.size(), kRedacted.size()) == kRedacted) {
      close = value.find('>', close + 1);
    }
    if (close == std::string_view::npos) break;
    result += value.substr(0, open + 1);
    result += redact_uri(value.substr(open + 1, close - open - 1), side, taken);
    value.remove_prefix(close);
  }
  result += value;
  return result;
}

std::string Redactor::redact_body(std::string_view content_type, std::string_view body,
                                  Side side) const {
  return apply_edits(body, find_body_secrets(*this, content_type, body, side));
}

}  // namespace cassette
