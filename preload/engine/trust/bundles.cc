// See bundles.h. The copy is in memory (memfd_create(2), sealed), not in the session's directory: programs
// that change their user (apt) read it as well, and there is nothing to clean up.
#include "preload/engine/trust/bundles.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <string>
#include <string_view>

#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

constexpr off_t kMost = 16 * 1024 * 1024;
/// A file with a usual name but fewer certificates is a server's own.
constexpr int kEnough = 10;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr char kJavaPassword[] = "changeit";

/// All of it, by pread(2): the descriptor's position is the program's.
bool read_whole(int fd, std::string& bytes) {
  struct stat identity {};
  if (fstat(fd, &identity) != 0 || !S_ISREG(identity.st_mode) || identity.st_size > kMost)
    return false;
  bytes.resize(static_cast<std::size_t>(identity.st_size));
  std::size_t size = 0;
  while (size < bytes.size()) {
    ssize_t got = pread(fd, bytes.data() + size, bytes.size() - size, static_cast<off_t>(size));
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return true;
}

int count_certificates(std::string_view pem) {
  int count = 0;
  for (std::size_t at = pem.find(kBegin); at != pem.npos; at = pem.find(kBegin, at + 1)) {
    const std::string_view kind = pem.substr(at + kBegin.size(), 20);
    count += kind.starts_with("CERTIFICATE-") || kind.starts_with("TRUSTED CERTIFICATE-") ? 1 : 0;
  }
  return count;
}

std::string path_of(int fd) {
  char link[64];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

bool is_java_store(std::string_view bytes) {
  return bytes.starts_with("\xfe\xed\xfe\xed") || bytes.starts_with("\x30\x82") ||
         bytes.starts_with("\x30\x83");
}

/// Empty: the file is to be read as it is.
std::string merge(TlsSupport& support, int fd, Bundle kind) {
  const std::string& authority = support.api->authority_pem();
  std::string original;
  if (fd < 0) return authority;
  if (!read_whole(fd, original)) return {};
  const bool chosen = kind == Bundle::kChosen;
  if (is_java_store(original)) {
    const char* password = engine().host.java_store_password();
    std::vector<std::string> certificates;
    std::string merged = support.api->merge_java_store(
        original, password != nullptr ? password : kJavaPassword, &certificates);
    support.trust->saw_certificates(certificates, chosen);
    if (merged.empty() && chosen && support.told->first(path_of(fd))) {
      log(LogLevel::kWarn,
          path_of(fd) +
              ": the session's authority cannot be added to this store of certificates "
              "(another password, or private keys in it): HTTPS will fail");
    }
    return merged;
  }
  if (count_certificates(original) < (chosen ? 1 : kEnough)) return {};
  // What the environment chooses is known already.
  if (!chosen) support.trust->saw_file(path_of(fd), false);
  // In front, because a reader may trust the size that it was told before.
  return authority + original;
}

int in_memory(std::string_view bytes) {
  int fd = memfd_create("cassette-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  while (!bytes.empty()) {
    ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put <= 0) {
      ::close(fd);
      return -1;
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  lseek(fd, 0, SEEK_SET);
  ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return fd;
}

}  // namespace

int merge_bundle(int fd, Bundle kind) {
  TlsSupport& support = engine().tls();
  if (support.api == nullptr) return -1;
  std::string merged = merge(support, fd, kind);
  return merged.empty() ? -1 : in_memory(merged);
}

}  // namespace cassette
