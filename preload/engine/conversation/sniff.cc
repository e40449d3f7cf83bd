// See sniff.h. An HTTP/1 request line is "METHOD target HTTP/1.x" (RFC 9112 section 3). Looking at the
// method alone would take Redis' inline "GET key" for HTTP, so the version decides, unless the line is
// longer than any line protocol's.
#include "preload/engine/conversation/sniff.h"

#include <algorithm>
#include <array>

#include "parser/headers.h"

namespace cassette {

namespace {

/// Bounds how long one waits for the end of a word that may be anything.
constexpr std::size_t kLongestMethod = 256;
constexpr std::size_t kLongLine = 4096;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kBlanks = " \t";

bool begins_with_either(std::string_view bytes, std::string_view whole) {
  std::size_t n = std::min(bytes.size(), whole.size());
  return bytes.substr(0, n) == whole.substr(0, n);
}

bool begins_with_ignoring_case(std::string_view text, std::string_view beginning) {
  return equals_ignoring_case(text.substr(0, beginning.size()), beginning);
}

/// RFC 9110 section 5.6.2; a method is such a token, whatever its case (section 9.1).
bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// The next word of a line, which loses it and the blanks around.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return word;
}

std::string_view last_word(std::string_view line) {
  const std::size_t end = line.find_last_not_of(kBlanks);
  if (end == std::string_view::npos) return {};
  line = line.substr(0, end + 1);
  const std::size_t blank = line.find_last_of(kBlanks);
  return blank == std::string_view::npos ? line : line.substr(blank + 1);
}

/// One that every server knows; it is compared without case, for a slip is what this is asked about.
bool is_known_method(std::string_view word) {
  static constexpr std::array<std::string_view, 9> kMethods = {
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};
  return std::any_of(kMethods.begin(), kMethods.end(), [word](std::string_view method) {
    return equals_ignoring_case(word, method);
  });
}

bool is_target(std::string_view word) {
  return (!word.empty() && word.front() == '/') || begins_with_ignoring_case(word, "http://") ||
         begins_with_ignoring_case(word, "https://");
}

bool is_version(std::string_view word) {
  return word.size() > 5 && begins_with_ignoring_case(word, "http/") && word[5] >= '0' &&
         word[5] <= '9';
}

/// A whole line that is no request line, and that only a client of HTTP would send: with a version at its end, whatever
/// is wrong with the rest; a request of HTTP/0.9 (RFC 1945 section 5) or one whose version is garbled; the line that a
/// load balancer puts in front of a request (PROXY protocol, version 1).
bool is_nearly_http(std::string_view line) {
  if (is_version(last_word(line))) return true;
  const std::string_view first = take_word(line);
  const std::string_view second = take_word(line);
  if (is_known_method(first) && is_target(second)) return true;
  return first == "PROXY" && (second == "TCP4" || second == "TCP6" || second == "UNKNOWN");
}

/// `complete`: its end will not come.
Protocol sniff_unfinished(std::string_view line, bool complete) {
  const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  std::size_t end = begin;
  while (end < line.size() && is_token_character(line[end])) ++end;
  const std::string_view method = line.substr(begin, end - begin);
  if (end == line.size() && method.size() <= kLongestMethod) return Protocol::kUnknown;
  if (method.empty() || method.size() > kLongestMethod ||
      kBlanks.find(line[end]) == std::string_view::npos) {
    return Protocol::kOther;
  }
  const bool is_long = line.size() > kLongLine;
  if (!complete && !is_long) return Protocol::kUnknown;
  std::string_view rest = line.substr(end);
  const bool to_target = is_target(take_word(rest));
  const bool known = is_known_method(method);
  // The request parser waits for the rest, and refuses what is wrong with it.
  return (known && to_target) || (is_long && (known || to_target)) ? Protocol::kHttp1
                                                                   : Protocol::kOther;
}

Protocol sniff_line(std::string_view bytes, bool complete) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return sniff_unfinished(bytes, complete);
  std::string_view line = bytes.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::size_t method = 0;
  while (method < line.size() && is_token_character(line[method])) ++method;
  const std::size_t version = line.rfind(' ');
  const bool http1 = method > 0 && method <= kLongestMethod && method < line.size() &&
                     line[method] == ' ' && version > method &&
                     line.substr(version + 1).starts_with("HTTP/1.");
  if (http1) return Protocol::kHttp1;
  return is_nearly_http(line) ? Protocol::kNearlyHttp : Protocol::kOther;
}

/// RFC 1928 section 3: version, number of methods, methods. A method is assigned (0 to 9) or private (from 0x80 on).
Protocol sniff_socks5(std::string_view bytes) {
  if (bytes.size() < 2) return Protocol::kUnknown;
  const auto count = static_cast<unsigned char>(bytes[1]);
  const std::string_view methods = bytes.substr(2, count);
  const bool valid = std::all_of(methods.begin(), methods.end(), [](char c) {
    const auto method = static_cast<unsigned char>(c);
    return method <= 9 || (method >= 0x80 && method != 0xff);
  });
  if (count == 0 || !valid) return Protocol::kOther;
  return methods.size() < count ? Protocol::kUnknown : Protocol::kSocks;
}

/// Version, command (connect or bind), port, address, a user's name that a NUL ends.
Protocol sniff_socks4(std::string_view bytes) {
  constexpr std::size_t kFixed = 8;
  constexpr std::size_t kLongestUser = 255;
  if (bytes.size() >= 2 && bytes[1] != 1 && bytes[1] != 2) return Protocol::kOther;
  if (bytes.size() <= kFixed) return Protocol::kUnknown;
  const std::string_view user = bytes.substr(kFixed, kLongestUser + 1);
  if (user.find('\0') != std::string_view::npos) return Protocol::kSocks;
  return user.size() > kLongestUser ? Protocol::kOther : Protocol::kUnknown;
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
  } else if (bytes[0] == '\x05') {
    protocol = sniff_socks5(bytes);
  } else if (bytes[0] == '\x04') {
    protocol = sniff_socks4(bytes);
  } else if (begins_with_either(bytes, kPreface)) {
    protocol = bytes.size() >= kPreface.size() ? Protocol::kHttp2 : Protocol::kUnknown;
  } else {
    protocol = sniff_line(bytes, complete);
  }
  return protocol == Protocol::kUnknown && complete ? Protocol::kOther : protocol;
}

RequestMessage request_of_line(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  RequestMessage request;
  request.method = take_word(line);
  const std::string_view target = take_word(line);
  request.target = is_target(target) ? target : "/";
  return request;
}

}  // namespace cassette
