// The TLS object's one exported symbol. OpenSSL is initialised here, without what it would do to the
// program: no configuration file, no handler at its end.
#include <openssl/err.h>
#include <openssl/pem.h>

#include <exception>

#include "preload/tls/java_store.h"
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

std::vector<std::string> read_pem(std::string_view bytes) {
  std::vector<std::string> certificates;
  BIO* memory = BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size()));
  if (memory == nullptr) return certificates;
  // TRUSTED CERTIFICATE blocks too.
  while (Owned<X509> certificate{PEM_read_bio_X509_AUX(memory, nullptr, nullptr, nullptr)}) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    if (size > 0)
      certificates.emplace_back(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
  }
  BIO_free(memory);
  ERR_clear_error();
  return certificates;
}

std::unique_ptr<TlsServerStream> accept(const ServerNames& names, bool resumes) {
  return make_server_stream(server_context, *authority, names, resumes);
}

}  // namespace

}  // namespace cassette

extern "C" __attribute__((visibility("default"))) const cassette::TlsApi* cassette_tls_start(
    int version, const cassette::HeapApi* heap) {
  using namespace cassette;
  if (version != kTlsVersion) return nullptr;
  use_heap(heap);
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
      .merge_java_store =
          [](std::string_view bytes, const std::string& password,
             std::vector<std::string>* certificates) {
            return merge_java_store(bytes, password, authority->der(), certificates);
          },
      .read_pem = read_pem,
  };
  return &kApi;
}
