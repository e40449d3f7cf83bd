// The TLS object's one exported symbol. OpenSSL is initialised here, without what it would do to the
// program: no configuration file, no handler at its end.
#include <openssl/err.h>
#include <openssl/pem.h>

#include <exception>

#include "preload/tls/clock.h"
#include "preload/tls/java_store.h"
#include "preload/tls/stream.h"
#include "preload/tls/verdict.h"
#include "preload/tls_api.h"
#include "store/inherited_files.h"

namespace cassette {

namespace {

Authority* authority;
SSL_CTX* server_context;
SSL_CTX* client_context;

bool begin(const std::string& file, int (*inherited)(const char* name), std::string* problem) try {
  use_inherited_files(inherited, nullptr);
  auto opened = Authority::open(file);
  if (!opened) {
    *problem = opened.error().message;
    return false;
  }
  Owned<SSL_CTX> server = make_server_context(**opened);
  Owned<SSL_CTX> client = make_client_context();
  if (!server || !client) {
    *problem = "TLS cannot be prepared: " + openssl_problem();
    return false;
  }
  // For the life of the process: connections may be served while it ends.
  authority = opened->release();
  server_context = server.release();
  client_context = client.release();
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
    certificates.push_back(der_of(certificate.get()));
  }
  BIO_free(memory);
  ERR_clear_error();
  return certificates;
}

std::unique_ptr<TlsServerStream> accept(const ClientHello& hello, bool waits, bool resumes) {
  return make_server_stream(server_context, *authority, hello, waits, resumes);
}

std::unique_ptr<TlsClientStream> connect(const ClientHello& hello, const ClientIdentity& identity) {
  return make_client_stream(client_context, hello, identity);
}

}  // namespace

}  // namespace cassette

extern "C" __attribute__((visibility("default"))) const cassette::TlsApi* cassette_tls_start(
    int version, const cassette::TlsHost* host) {
  using namespace cassette;
  if (version != kTlsVersion) return nullptr;
  if (host != nullptr) {
    use_heap(host->heap, host->program_heap);
    use_clock(host->program_time);
  }
  OPENSSL_init_ssl(
      OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS,
      nullptr);
  static constexpr TlsApi kApi = {
      .version = kTlsVersion,
      .begin = begin,
      .authority_pem = []() -> const std::string& { return authority->pem(); },
      .authority_der = []() -> const std::string& { return authority->der(); },
      .accept = accept,
      .connect = connect,
      .judge = judge_chain,
      .merge_java_store =
          [](std::string_view bytes, const std::string& password,
             std::vector<std::string>* certificates) {
            return merge_java_store(bytes, password, authority->der(), certificates);
          },
      .read_pem = read_pem,
  };
  return &kApi;
}
