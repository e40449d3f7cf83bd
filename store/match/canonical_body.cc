// See canonical_body.h.
#include "store/match/canonical_body.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "store/match/media_type.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

/// Deeper JSON is compared as bytes: the writer below calls itself, on a stack that may be small.
constexpr std::size_t kMaxDepth = 256;

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

void write_string(std::string_view text, std::string& out) {
  out += '"';
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

template <typename Number>
void write_number(Number number, std::string& out) {
  std::array<char, 32> text{};
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

void write(simdjson::dom::element element, std::string& out) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::OBJECT: {
      std::vector<std::pair<std::string_view, simdjson::dom::element>> fields;
      const simdjson::dom::object object = element.get_object().value_unsafe();
      for (auto field : object) fields.emplace_back(field.key, field.value);
      std::stable_sort(fields.begin(), fields.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      char separator = '{';
      for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i + 1 < fields.size() && fields[i + 1].first == fields[i].first) continue;
        out += std::exchange(separator, ',');
        write_string(fields[i].first, out);
        out += ':';
        write(fields[i].second, out);
      }
      out += fields.empty() ? "{}" : "}";
      break;
    }
    case element_type::ARRAY: {
      char separator = '[';
      const simdjson::dom::array array = element.get_array().value_unsafe();
      for (auto item : array) {
        out += std::exchange(separator, ',');
        write(item, out);
      }
      out += separator == '[' ? "[]" : "]";
      break;
    }
    case element_type::STRING:
      write_string(element.get_string().value_unsafe(), out);
      break;
    case element_type::INT64:
      write_number(element.get_int64().value_unsafe(), out);
      break;
    case element_type::UINT64:
      write_number(element.get_uint64().value_unsafe(), out);
      break;
    case element_type::DOUBLE: {
      const double number = element.get_double().value_unsafe();
      // 1.0 is 1, as long as a double counts whole numbers one by one.
      if (std::fabs(number) < 9007199254740992.0 &&
          static_cast<double>(static_cast<std::int64_t>(number)) == number) {
        write_number(static_cast<std::int64_t>(number), out);
      } else {
        write_number(number, out);
      }
      break;
    }
    case element_type::BOOL:
      out += element.get_bool().value_unsafe() ? "true" : "false";
      break;
    case element_type::NULL_VALUE:
      out += "null";
      break;
  }
}

std::optional<std::string> canonical_json(std::string_view body) {
  if (body.substr(0, 3) == "\xef\xbb\xbf") body.remove_prefix(3);
  simdjson::dom::parser parser;
  if (parser.allocate(body.size(), kMaxDepth) != simdjson::SUCCESS) return std::nullopt;
  simdjson::dom::element root;
  // Copies, because simdjson reads some bytes past the end.
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  std::string result;
  result.reserve(body.size());
  write(root, result);
  return result;
}

/// Decoded, but for what would make two different lists look alike.
void write_decoded(std::string_view text, std::string& out) {
  percent_decode(text, [&out](char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&' || c == '=' || c == '%' || byte < 0x20) {
      out += '%';
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else {
      out += c;
    }
  });
}

std::string canonical_form(std::string_view body) {
  std::vector<std::string> fields;
  Parameter parameter;
  while (next_parameter(body, parameter)) {
    std::string field;
    write_decoded(parameter.name, field);
    field += '=';
    write_decoded(parameter.value, field);
    fields.push_back(std::move(field));
  }
  std::sort(fields.begin(), fields.end());
  std::string result;
  for (const std::string& field : fields) {
    if (!result.empty()) result += '&';
    result += field;
  }
  return result;
}

}  // namespace

std::string canonical_body(std::string_view content_type, std::string_view body) {
  switch (body_kind(content_type, body)) {
    case BodyKind::kJson:
      if (auto json = canonical_json(body)) return *json;
      break;
    case BodyKind::kForm:
      return canonical_form(body);
    case BodyKind::kMultipart:
      return with_fixed_boundary(header_parameter(content_type, "boundary"), body);
    case BodyKind::kBytes:
    case BodyKind::kEventStream:
      break;
  }
  return std::string(body);
}

}  // namespace cassette
