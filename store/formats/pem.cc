// See pem.h.
#include "store/formats/pem.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "store/formats/text.h"

namespace cassette {

namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

/// Between "-----BEGIN " (or END) at `at` and the dashes behind it; nothing when there are none on that line.
std::optional<std::string_view> label_at(std::string_view text, std::size_t at,
                                         std::string_view opening) {
  const std::size_t begin = at + opening.size();
  const std::size_t end = text.find(kDashes, begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view label = text.substr(begin, end - begin);
  if (label.find('\n') != std::string_view::npos) return std::nullopt;
  return label;
}

/// One SEQUENCE with a definite length of its own bytes, neither more nor less (X.690 section 8.1.3).
bool is_whole_sequence(std::string_view der) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(der[i]); };
  if (der.size() < 2 || byte(0) != 0x30) return false;
  if (byte(1) < 0x80) return der.size() == 2U + byte(1);
  const std::size_t bytes = byte(1) & 0x7F;
  if (bytes == 0 || bytes > 4 || der.size() < 2 + bytes) return false;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < bytes; ++i) length = length << 8 | byte(2 + i);
  return der.size() == 2 + bytes + length;
}

}  // namespace

std::string to_pem(std::string_view der, std::string_view label) {
  constexpr std::size_t kColumns = 64;
  const std::string digits = encode_base64(der);
  std::string pem;
  pem.append(kBegin).append(label).append(kDashes).append("\n");
  for (std::size_t at = 0; at < digits.size(); at += kColumns)
    pem.append(digits, at, kColumns).append("\n");
  pem.append(kEnd).append(label).append(kDashes).append("\n");
  return pem;
}

Result<std::vector<std::string>> certificates_from_pem(std::string_view text) {
  std::vector<std::string> certificates;
  const std::string begin = std::string(kBegin) + std::string(kCertificateLabel) + "-----";
  const std::string end = std::string(kEnd) + std::string(kCertificateLabel) + "-----";
  for (std::size_t at = text.find(begin); at != std::string_view::npos; at = text.find(begin, at)) {
    at += begin.size();
    const std::size_t behind = text.find(end, at);
    if (behind == std::string_view::npos) return Error{"a certificate without its END line"};
    auto der = decode_base64(text.substr(at, behind - at));
    if (!der) return Error{"a certificate that is not complete base64"};
    if (!is_whole_sequence(*der)) return Error{"a certificate that is no whole DER structure"};
    certificates.push_back(std::move(*der));
    at = behind + end.size();
  }
  return certificates;
}

std::vector<std::string_view> pem_labels(std::string_view text) {
  std::vector<std::string_view> labels;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos;
       at = text.find(kBegin, at + 1)) {
    const bool begins_line = at == 0 || text[at - 1] == '\n';
    if (auto label = label_at(text, at, kBegin); begins_line && label) labels.push_back(*label);
  }
  return labels;
}

}  // namespace cassette
