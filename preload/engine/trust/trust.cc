// See trust.h.
#include "preload/engine/trust/trust.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "preload/hooks/files/bundles.h"

namespace cassette {

namespace {

/// Where systems keep what they trust: Debian and Alpine, Fedora, SUSE, BSD.
constexpr const char* kSystem[] = {"/etc/ssl/certs/ca-certificates.crt",
                                   "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                   "/etc/ssl/cert.pem"};

template <typename Item>
void add(std::vector<Item>& list, const Item& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

}  // namespace

void Trust::begin(const char* (*variable)(const char* name), const std::string& further) {
  if (!further.empty()) further_.push_back(further);
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name) {
    const char* file = variable(*name);
    if (file == nullptr || file[0] == '\0' || std::strcmp(file, kAuthorityFile) == 0) continue;
    // Node's adds to what it trusts, as its name says; the others stand for the system's.
    const bool adds = std::strcmp(*name, "NODE_EXTRA_CA_CERTS") == 0;
    add(adds ? further_ : chosen_.files, std::string(file));
    has_chosen_ = has_chosen_ || !adds;
  }
}

void Trust::saw_file(const std::string& path, bool chosen) {
  std::lock_guard guard(mutex_);
  has_chosen_ = has_chosen_ || chosen;
  add(chosen ? chosen_.files : seen_.files, path);
}

void Trust::saw_certificates(const std::vector<std::string>& certificates, bool chosen) {
  std::lock_guard guard(mutex_);
  has_chosen_ = has_chosen_ || chosen;  // also when it trusts nobody
  for (const std::string& certificate : certificates)
    add(chosen ? chosen_.certificates : seen_.certificates, certificate);
}

Anchors Trust::anchors() const {
  std::lock_guard guard(mutex_);
  Anchors anchors = has_chosen_ ? chosen_ : seen_;
  for (const char* file : kSystem) {
    if (has_chosen_) break;
    if (access(file, R_OK) != 0) continue;
    add(anchors.files, std::string(file));
    break;
  }
  for (const std::string& file : further_) add(anchors.files, file);
  return anchors;
}

}  // namespace cassette
