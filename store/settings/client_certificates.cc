// See client_certificates.h.
#include "store/settings/client_certificates.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "store/files.h"
#include "store/formats/pem.h"

namespace cassette {

namespace {

/// Some block of that kind: "CERTIFICATE" and OpenSSL's "TRUSTED CERTIFICATE"; "PRIVATE KEY", "EC PRIVATE KEY" ...
bool has_block(std::string_view text, std::string_view kind) {
  const std::vector<std::string_view> labels = pem_labels(text);
  return std::any_of(labels.begin(), labels.end(),
                     [kind](std::string_view label) { return label.ends_with(kind); });
}

/// RFC 7468 section 11, and the header of RFC 1421 that older keys have.
bool is_encrypted(std::string_view text) {
  return has_block(text, "ENCRYPTED PRIVATE KEY") ||
         text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
}

Result<void> check(const ClientCertificate& each) {
  const Result<std::string> certificate = read_file(each.certificate_file);
  if (!certificate) return Error{each.certificate_source + ": " + certificate.error().message};
  if (!has_block(*certificate, "CERTIFICATE")) {
    return Error{each.certificate_source + ": " + each.certificate_file +
                 " holds no certificate in PEM"};
  }
  const Result<std::string> key = read_file(each.key_file);
  if (!key) return Error{each.key_source + ": " + key.error().message};
  if (!has_block(*key, "PRIVATE KEY")) {
    return Error{each.key_source + ": " + each.key_file + " holds no private key in PEM" +
                 (each.key_source == each.certificate_source
                      ? ": name the file that does (tls-client-key)"
                      : "")};
  }
  if (is_encrypted(*key)) {
    return Error{each.key_source + ": the private key in " + each.key_file +
                 " is encrypted, and nobody can be asked for its passphrase"};
  }
  return {};
}

}  // namespace

Result<void> check_client_certificates(const Settings& settings) {
  for (const ClientCertificate& each : settings.tls_client_certificates) {
    if (auto checked = check(each); !checked) return checked;
  }
  return {};
}

const ClientCertificate* Settings::client_certificate_for(std::string_view host,
                                                          std::uint16_t port) const {
  for (const ClientCertificate& each : tls_client_certificates) {
    if (each.hosts.empty() || each.hosts.contains(host, port)) return &each;
  }
  return nullptr;
}

}  // namespace cassette
