// DER in PEM's clothes (RFC 7468): what a certificate looks like in a cassette, and what a file of keys has inside.
// Knows no ASN.1 but where a structure ends, and no cryptography.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"

namespace cassette {

inline constexpr std::string_view kCertificateLabel = "CERTIFICATE";

/// "-----BEGIN LABEL-----" and the rest, lines of 64 digits, with a line end behind the last.
std::string to_pem(std::string_view der, std::string_view label = kCertificateLabel);

/// The certificates in a text, in its order, as DER. What stands between and around them is passed over, as RFC 7468
/// section 2 has it; other kinds of blocks, too. Errors: a block that does not end, is no base64, or holds no whole DER
/// structure. A text without a certificate gives none.
Result<std::vector<std::string>> certificates_from_pem(std::string_view text);

/// The labels of all blocks that begin in a text ("CERTIFICATE", "EC PRIVATE KEY"), in its order.
std::vector<std::string_view> pem_labels(std::string_view text);

}  // namespace cassette
