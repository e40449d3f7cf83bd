// See sniff.h. An HTTP/1 request line is "METHOD target HTTP/1.x" (RFC 9112 section 3). Looking at the
// method alone would take Redis' inline "GET key" for HTTP, so the version decides, unless the line is
// longer than any line protocol's.
#include "preload/engine/conversation/sniff.h"

#include <algorithm>

namespace cassette {

namespace {

constexpr std::size_t kLongestMethod = 24;
constexpr std::size_t kLongLine = 4096;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

bool begins_with_either(std::string_view bytes, std::string_view whole) {
  std::size_t n = std::min(bytes.size(), whole.size());
  return bytes.substr(0, n) == whole.substr(0, n);
}

bool is_method_character(char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }

Protocol sniff_line(std::string_view bytes) {
  std::size_t method = 0;
  while (method < bytes.size() && is_method_character(bytes[method])) ++method;
  if (method > kLongestMethod) return Protocol::kOther;
  if (method == bytes.size()) return Protocol::kUnknown;
  if (method == 0 || bytes[method] != ' ') return Protocol::kOther;

  std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    return bytes.size() > kLongLine ? Protocol::kHttp1 : Protocol::kUnknown;
  }
  std::string_view line = bytes.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::size_t version = line.rfind(' ');
  bool http1 = version != std::string_view::npos && version > method &&
               line.substr(version + 1).starts_with("HTTP/1.");
  return http1 ? Protocol::kHttp1 : Protocol::kOther;
}

}  // namespace

Protocol sniff(std::string_view bytes, bool complete) {
  // RFC 9112 section 2.2: a server ignores empty lines before a request line.
  std::size_t begin = bytes.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return complete ? Protocol::kOther : Protocol::kUnknown;
  bytes.remove_prefix(begin);

  Protocol protocol;
  if (bytes[0] == '\x16') {  // TLS handshake record, then the major version 3
    protocol = bytes.size() < 2     ? Protocol::kUnknown
               : bytes[1] == '\x03' ? Protocol::kTls
                                    : Protocol::kOther;
  } else if (begins_with_either(bytes, kPreface)) {
    protocol = bytes.size() >= kPreface.size() ? Protocol::kHttp2 : Protocol::kUnknown;
  } else {
    protocol = sniff_line(bytes);
  }
  return protocol == Protocol::kUnknown && complete ? Protocol::kOther : protocol;
}

}  // namespace cassette
