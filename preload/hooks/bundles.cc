// See bundles.h.
#include "preload/hooks/bundles.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace cassette {

namespace {

constexpr int kMostChosen = 24;
const char* chosen[kMostChosen];
int chosen_count;
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
  if (const char* copy = strdup(path)) chosen[chosen_count++] = copy;
}

constexpr char kStore[] = "-Djavax.net.ssl.trustStore=";
constexpr char kPassword[] = "-Djavax.net.ssl.trustStorePassword=";

void note_java_option(const char* option) {
  if (std::strncmp(option, kStore, sizeof kStore - 1) == 0) choose(option + sizeof kStore - 1);
  if (std::strncmp(option, kPassword, sizeof kPassword - 1) == 0 && java_password == nullptr)
    java_password = strdup(option + sizeof kPassword - 1);
}

/// JAVA_TOOL_OPTIONS and its kind: options with blanks between them.
void note_java_options(const char* options) {
  if (options == nullptr) return;
  char* copy = strdup(options);
  if (copy == nullptr) return;
  char* rest = nullptr;
  for (char* word = strtok_r(copy, " \t\n", &rest); word != nullptr;
       word = strtok_r(nullptr, " \t\n", &rest)) {
    note_java_option(word);
  }
  std::free(copy);
}

}  // namespace

void note_chosen_bundles(const char* (*variable)(const char* name), int count,
                         char* const* arguments) {
  for (const char* const* name = kBundleVariables; *name != nullptr; ++name)
    choose(variable(*name));
  for (int i = 1; i < count; ++i) {
    if (arguments[i] != nullptr && arguments[i][0] == '-' && arguments[i][1] == 'D')
      note_java_option(arguments[i]);
  }
  for (const char* name : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"})
    note_java_options(variable(name));
}

Bundle bundle_at(const char* path) {
  const std::size_t length = std::strlen(path);
  for (int i = 0; i < chosen_count; ++i) {
    if (is(chosen[i], path)) return is(path, kAuthorityFile) ? Bundle::kAuthority : Bundle::kChosen;
  }
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
