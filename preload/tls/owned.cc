// See owned.h.
#include "preload/tls/owned.h"

#include <openssl/err.h>

#include <cstring>

namespace cassette {

std::string der_of(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size <= 0) return {};
  std::string result(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return result;
}

Owned<X509> take_certificate(std::string_view& der) {
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* at = begin;
  Owned<X509> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate) der.remove_prefix(static_cast<std::size_t>(at - begin));
  return certificate;
}

std::string openssl_problem() {
  std::string text;
  while (unsigned long code = ERR_get_error()) {
    char reason[256];
    ERR_error_string_n(code, reason, sizeof reason);
    // "error:0A000086:SSL routines::certificate verify failed": the last part is for people.
    const char* last = std::strrchr(reason, ':');
    text = last != nullptr ? last + 1 : reason;
  }
  return text.empty() ? "no reason given" : text;
}

}  // namespace cassette
