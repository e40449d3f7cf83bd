// Takes credentials out of headers, URIs and bodies. See redaction.h; body_secrets.h looks into
// bodies.
#include "store/redaction/redaction.h"

#include <algorithm>
#include <utility>

#include "store/content_coding.h"
#include "store/match/parameters.h"
#include "store/redaction/body_secrets.h"

namespace cassette {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The upper and the lower case of a letter are the same modulo 32.
std::uint32_t letter_bit(char c) {
  return std::uint32_t{1} << (static_cast<unsigned char>(c) & 31);
}

/// A parameter's own name, then, for `user[password]` or `token[]`, the last name in it.
bool contains_parameter(const NameSet& names, std::string_view written) {
  if (names.empty()) return false;
  const std::string decoded = percent_decoded(written);
  std::string_view name = decoded;
  if (names.contains(name)) return true;
  while (name.size() > 2 && name.substr(name.size() - 2) == "[]") name.remove_suffix(2);
  if (!name.empty() && name.back() == ']') {
    name.remove_suffix(1);
    name = name.substr(name.rfind('[') + 1);  // npos + 1 is the beginning
  }
  return names.contains(name);
}

bool contains_parameter(const NameSet& names, const Parameter& parameter) {
  return parameter.plain_name ? names.contains(parameter.name)
                              : contains_parameter(names, parameter.name);
}

std::string redact_set_cookie(std::string_view value) {
  const std::size_t end = std::min(value.find(';'), value.size());
  const std::size_t equals = value.find('=');
  std::string result(value.substr(0, equals < end ? equals + 1 : 0));
  result += kRedacted;
  result += value.substr(end);
  return result;
}

std::string joined(const Headers& headers, std::string_view name) {
  std::string result;
  for (const Headers::Field field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (!result.empty()) result += ", ";
    result += field.value;
  }
  return result;
}

struct BodyChange {
  bool changed = false;
  bool decoded = false;
};

/// Bodies are looked at decoded; where there is nothing to hide they stay as they came.
BodyChange redact_message_body(const Redactor& redactor, const Headers& headers, std::string& body,
                               std::vector<Piece>* pieces) {
  if (body.empty() || !redactor.any_body()) return {};
  const std::string type(headers.find("Content-Type").value_or(""));
  const std::string coding = joined(headers, "Content-Encoding");
  if (!coding.empty() && is_encoded(coding, body)) {
    const Result<std::string> plain = decode_content(coding, body);
    if (!plain) return {};
    const std::vector<Edit> edits = find_body_secrets(redactor, type, *plain);
    if (edits.empty()) return {};
    body = apply_edits(*plain, edits);
    // Where its pieces were in the encoded bytes says nothing about the decoded ones.
    if (pieces != nullptr) pieces->clear();
    return {true, true};
  }
  const std::vector<Edit> edits = find_body_secrets(redactor, type, body);
  if (edits.empty()) return {};
  body = apply_edits(body, edits);
  if (pieces != nullptr) {
    std::vector<Piece> moved;
    for (Piece piece : *pieces) {
      piece.offset = offset_after_edits(piece.offset, edits);
      const bool is_empty = piece.offset >= body.size();
      if (!is_empty && (moved.empty() || moved.back().offset != piece.offset))
        moved.push_back(piece);
    }
    *pieces = std::move(moved);
  }
  return {true, false};
}

Headers redact_headers(const Redactor& redactor, const Headers& headers, BodyChange change,
                       std::size_t body_size) {
  Headers result;
  for (const Headers::Field field : headers) {
    if (change.decoded && equals_ignoring_case(field.name, "Content-Encoding")) continue;
    if (change.changed && equals_ignoring_case(field.name, "Content-Length")) {
      result.add(field.name, std::to_string(body_size));
    } else {
      result.add(field.name, redactor.redact_header(field.name, field.value));
    }
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

Redactor::Redactor(std::vector<std::string> headers, std::vector<std::string> query,
                   std::vector<std::string> body)
    : headers_(std::move(headers)), query_(std::move(query)), body_(std::move(body)) {}

bool Redactor::hides_query(std::string_view parameter) const {
  return contains_parameter(query_, parameter);
}

bool Redactor::hides_query(const Parameter& parameter) const {
  return contains_parameter(query_, parameter);
}

bool Redactor::hides_form_field(std::string_view parameter) const {
  return contains_parameter(body_, parameter);
}

bool Redactor::hides_form_field(const Parameter& parameter) const {
  return contains_parameter(body_, parameter);
}

std::string Redactor::redact_uri(std::string_view uri) const {
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
    while (!list.empty()) {
      std::string_view one = list.substr(0, list.find('&'));
      list.remove_prefix(one.size());
      const std::size_t equals = one.find('=');
      if (equals != std::string_view::npos && hides_query(one.substr(0, equals))) {
        result += one.substr(0, equals + 1);
        result += kRedacted;
      } else {
        result += one;
      }
      if (!list.empty()) {
        result += '&';
        list.remove_prefix(1);
      }
    }
    begin = rest.find('#');
  }
  result += rest;
  return result;
}

std::string Redactor::redact_header(std::string_view name, std::string_view value) const {
  if (hides_header(name)) {
    return equals_ignoring_case(name, "Set-Cookie") ? redact_set_cookie(value)
                                                    : std::string(kRedacted);
  }
  if (equals_ignoring_case(name, "Location") || equals_ignoring_case(name, "Content-Location") ||
      equals_ignoring_case(name, "Referer")) {
    return redact_uri(value);
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
    result += redact_uri(value.substr(open + 1, close - open - 1));
    value.remove_prefix(close);
  }
  result += value;
  return result;
}

std::string Redactor::redact_body(std::string_view content_type, std::string_view body) const {
  return apply_edits(body, find_body_secrets(*this, content_type, body));
}

void Redactor::redact(Interaction& interaction) const {
  interaction.uri = redact_uri(interaction.uri);
  RequestMessage& request = interaction.request;
  request.target = redact_uri(request.target);
  BodyChange change = redact_message_body(*this, request.headers, request.body, nullptr);
  request.headers = redact_headers(*this, request.headers, change, request.body.size());
  request.trailers = redact_headers(*this, request.trailers, {}, 0);

  ResponseMessage& response = interaction.response;
  change = redact_message_body(*this, response.headers, response.body, &interaction.chunks);
  response.headers = redact_headers(*this, response.headers, change, response.body.size());
  response.trailers = redact_headers(*this, response.trailers, {}, 0);
}

}  // namespace cassette
