// See plain_body.h.
#include "store/redaction/plain_body.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "store/content_coding.h"
#include "store/formats/text.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

/// More than anybody applies; each costs a pass over the body.
constexpr std::size_t kMostCodings = 8;

/// Calls `each` for the items of a list with commas, trimmed.
template <typename Each>
void for_each_coding(std::string_view list, Each each) {
  while (!list.empty()) {
    std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(item.size() + 1, list.size()));
    const std::size_t begin = item.find_first_not_of(" \t");
    if (begin == std::string_view::npos) continue;
    each(item.substr(begin, item.find_last_not_of(" \t") + 1 - begin));
  }
}

/// What is written there and stands for nothing: `chunked` is undone already, the others are character sets, or mail's.
bool is_no_coding(std::string_view coding) {
  constexpr std::string_view kNone[] = {"identity", "chunked", "none",   "utf-8",
                                        "utf8",     "8bit",    "binary", "7bit"};
  return std::any_of(std::begin(kNone), std::end(kNone), [coding](std::string_view name) {
    return equals_ignoring_case(coding, name);
  });
}

/// In the order in which they were applied.
std::vector<std::string_view> codings_in(const Headers& headers) {
  std::vector<std::string_view> codings;
  for (const std::string_view name : {"Content-Encoding", "Transfer-Encoding"}) {
    for (const Headers::Field field : headers) {
      if (!equals_ignoring_case(field.name, name)) continue;
      for_each_coding(field.value, [&codings](std::string_view coding) {
        if (codings.size() < kMostCodings) codings.push_back(coding);
      });
    }
  }
  return codings;
}

/// What `aws-chunked` frames: chunks as HTTP has them, with `;chunk-signature=...` behind their sizes. Nothing when it is none.
std::optional<std::string> without_aws_chunks(std::string_view body) {
  std::string content;
  while (!body.empty()) {
    std::size_t size = 0;
    std::size_t digits = 0;
    while (digits < body.size() && digits < 8 && hex_digit(body[digits]) >= 0)
      size = size * 16 + static_cast<std::size_t>(hex_digit(body[digits++]));
    const std::size_t line = body.find("\r\n");
    if (digits == 0 || line == std::string_view::npos || (line != digits && body[digits] != ';'))
      return std::nullopt;
    if (size == 0) break;
    body.remove_prefix(line + 2);
    content += body.substr(0, size);
    body.remove_prefix(std::min(size + 2, body.size()));
  }
  return content;
}

/// Text of any encoding that people look into; zeros: UTF-16.
bool is_text(std::string_view bytes) {
  const std::string_view beginning = bytes.substr(0, 512);
  if (!is_utf8(bytes) && beginning.find('\0') == std::string_view::npos) {
    const auto above = std::count_if(bytes.begin(), bytes.end(),
                                     [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    // Latin-1 has a few of them, and compressed bytes are half of them.
    if (static_cast<std::size_t>(above) > bytes.size() / 4) return false;
  }
  return std::count_if(beginning.begin(), beginning.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > 0 && byte < ' ' && c != '\n' && c != '\r' && c != '\t';
         }) <= static_cast<std::ptrdiff_t>(beginning.size() / 32);
}

}  // namespace

PlainBody plain_body(const Headers& headers, std::string_view body) {
  PlainBody plain;
  if (body.empty()) return plain;
  const std::vector<std::string_view> codings = codings_in(headers);
  std::string_view unknown;
  std::string_view current = body;
  auto undone = [&](std::string text) {
    plain.text = std::move(text);
    plain.decoded = true;
    current = plain.text;
  };
  for (std::size_t i = codings.size(); i > 0; --i) {
    const std::string_view coding = codings[i - 1];
    if (is_known_coding(coding)) {
      if (!is_encoded(coding, current)) continue;
      std::string text = decode_what_is_there(coding, current);
      if (text.empty()) {
        plain.unreadable = coding;
        return plain;
      }
      undone(std::move(text));
    } else if (equals_ignoring_case(coding, "aws-chunked")) {
      const bool compressed = std::any_of(codings.begin(), codings.end(), is_known_coding);
      if (auto content = compressed ? without_aws_chunks(current) : std::nullopt) {
        undone(std::move(*content));
      }
    } else if (!is_no_coding(coding)) {
      unknown = coding;
    }
  }
  if (!unknown.empty() && !is_text(current)) plain.unreadable = unknown;
  return plain;
}

std::string without_known_codings(std::string_view value) {
  std::string result;
  for_each_coding(value, [&result](std::string_view coding) {
    if (is_known_coding(coding)) return;
    if (!result.empty()) result += ", ";
    result += coding;
  });
  return result;
}

}  // namespace cassette
