// The TLS object's one exported symbol. OpenSSL is initialised here, without what it would do to the
// program: no configuration file, no handler at its end.
#include <openssl/err.h>

#include <exception>

#include "preload/tls/stream.h"
#include "preload/tls_api.h"

namespace cassette {

namespace {

Authority* authority;
SSL_CTX* server_context;

bool begin(const std::string& file, std::string* problem) try {
  auto opened = Authority::open(file);
  if (!opened) {
    *problem = opened.error().message;
    return false;
  }
  Owned<SSL_CTX> context = make_server_context(**opened);
  if (!context) {
    *problem = "TLS cannot be prepared: " + openssl_problem();
    return false;
  }
  // For the life of the process: connections may be served while it ends.
  authority = opened->release();
  server_context = context.release();
  return true;
} catch (const std::exception& exception) {
  *problem = exception.what();
  return false;
}

std::unique_ptr<TlsServerStream> accept(const std::string& name) {
  return make_server_stream(server_context, *authority, name);
}

}  // namespace

}  // namespace cassette

extern "C" __attribute__((visibility("default"))) const cassette::TlsApi* cassette_tls_start(
    int version) {
  using namespace cassette;
  if (version != kTlsVersion) return nullptr;
  OPENSSL_init_ssl(
      OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS,
      nullptr);
  static constexpr TlsApi kApi = {
      .version = kTlsVersion,
      .begin = begin,
      .authority_pem = []() -> const std::string& { return authority->pem(); },
      .authority_der = []() -> const std::string& { return authority->der(); },
      .accept = accept,
      .connect = make_client_stream,
  };
  return &kApi;
}
