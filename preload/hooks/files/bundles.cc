// See bundles.h.
#include "preload/hooks/files/bundles.h"

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace cassette {

namespace {

constexpr int kMostChosen = 24;
const char* chosen[kMostChosen];
int chosen_count;
// Bit n: one of them has n characters, or 64 more, and so on.
std::uint64_t chosen_lengths;
const char* java_password;

bool is(const char* a, const char* b) { return std::strcmp(a, b) == 0; }

bool ends_with(const char* text, std::size_t length, const char* end) {
  const std::size_t size = std::strlen(end);
  return length >= size && std::memcmp(text + length - size, end, size) == 0;
}

void choose(const char* path) {
  if (path == nullptr || path[0] == '\0' || chosen_count == kMostChosen) return;
  for (int i = 0; i < chosen_count; ++i) {
    if (is(chosen[i], path)) return;
  }
  // Programs write over their arguments to change their title.
  if (const char* copy = strdup(path)) {
    chosen[chosen_count++] = copy;
    chosen_lengths |= std::uint64_t{1} << (std::strlen(path) % 64);
  }
}

constexpr char kStore[] = "-Djavax.net.ssl.trustStore=";
constexpr char kPassword[] = "-Djavax.net.ssl.trustStorePassword=";

// The last one counts, as in Java.
void note_java_option(const char* option) {
  if (std::strncmp(option, kStore, sizeof kStore - 1) == 0) choose(option + sizeof kStore - 1);
  if (std::strncmp(option, kPassword, sizeof kPassword - 1) == 0)
    java_password = strdup(option + sizeof kPassword - 1);
}

/// JAVA_TOOL_OPTIONS and its kind: options with blanks between them, and quotes around blanks.
void note_java_options(const char* options) {
  char* word =
      options != nullptr ? static_cast<char*>(std::malloc(std::strlen(options) + 1)) : nullptr;
  if (word == nullptr) return;
  for (const char* at = options; *at != '\0';) {
    std::size_t size = 0;
    char quote = '\0';
    for (; *at != '\0' && (quote != '\0' || !std::isspace(static_cast<unsigned char>(*at))); ++at) {
      if (quote == '\0' && (*at == '\'' || *at == '"')) {
        quote = *at;
      } else if (*at == quote) {
        quote = '\0';
      } else {
        word[size++] = *at;
      }
    }
    word[size] = '\0';
    note_java_option(word);
    while (std::isspace(static_cast<unsigned char>(*at))) ++at;
  }
  std::free(word);
}

}  // namespace

void note_chosen_bundles(const char* (*variable)(const char* name), int count,
                         char* const* arguments) {
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name)
    choose(variable(*name));
  note_java_options(variable("JAVA_TOOL_OPTIONS"));
  note_java_options(variable("JDK_JAVA_OPTIONS"));
  for (int i = 1; i < count; ++i) {
    if (arguments[i] != nullptr && arguments[i][0] == '-' && arguments[i][1] == 'D')
      note_java_option(arguments[i]);
  }
  note_java_options(variable("_JAVA_OPTIONS"));
}

Bundle bundle_at(const char* path) {
  const std::size_t length = std::strlen(path);
  if ((chosen_lengths >> (length % 64) & 1) != 0) {
    for (int i = 0; i < chosen_count; ++i) {
      if (is(chosen[i], path))
        return is(path, kAuthorityFile) ? Bundle::kAuthority : Bundle::kChosen;
    }
  }
  // All the usual names end so: most files are done with here.
  const char last = length > 0 ? path[length - 1] : '\0';
  if (last != 'm' && last != 't' && last != 's') return Bundle::kNone;
  const void* slash = memrchr(path, '/', length);
  const char* name = slash != nullptr ? static_cast<const char*>(slash) + 1 : path;
  switch (name[0]) {
    case 'c':
      if (is(name, "cert.pem"))
        return ends_with(path, length, "/ssl/cert.pem") ? Bundle::kDefault : Bundle::kNamed;
      if (is(name, "ca-certificates.crt") || is(name, "cacert.pem") || is(name, "cacerts") ||
          is(name, "ca-bundle.crt") || is(name, "ca-bundle.pem") || is(name, "ca-root-nss.crt") ||
          is(name, "cacerts.pem"))
        return Bundle::kNamed;
      return is(path, kAuthorityFile) ? Bundle::kAuthority : Bundle::kNone;
    case 't':
      return is(name, "tls-ca-bundle.pem") ? Bundle::kNamed : Bundle::kNone;
    case 'j':
      return is(name, "jssecacerts") ? Bundle::kNamed : Bundle::kNone;
    default:
      return Bundle::kNone;
  }
}

const char* java_store_password() { return java_password; }

}  // namespace cassette
