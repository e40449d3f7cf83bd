// The end that talks to the real server. It always completes the handshake: whether the server may be
// trusted is said afterwards, because the program's own store may know better (it is asked elsewhere).
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "preload/tls/stream.h"

namespace cassette {

namespace {

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

/// One for each set of files; never freed.
SSL_CTX* context_for(const std::vector<std::string>& trusted) {
  static std::mutex mutex;
  static auto* contexts = new std::map<std::vector<std::string>, Owned<SSL_CTX>>;
  std::lock_guard guard(mutex);
  Owned<SSL_CTX>& context = (*contexts)[trusted];
  if (context) return context.get();
  context.reset(SSL_CTX_new(TLS_client_method()));
  if (!context) return nullptr;
  for (const std::string& file : trusted) {
    ERR_clear_error();
    SSL_CTX_load_verify_file(context.get(), file.c_str());
  }
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER,
                     [](int, X509_STORE_CTX*) { return 1; });  // noted in the result, see opened()
  static constexpr unsigned char kHttp[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context.get(), kHttp, sizeof kHttp - 1);
  return context.get();
}

class ClientStream final : public MemoryStream<TlsClientStream> {
 public:
  ClientStream(SSL_CTX* context, const std::string& name) : MemoryStream(context), name_(name) {
    if (!ssl_) return;
    SSL_set_connect_state(ssl_.get());
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl_.get());
    if (is_address(name)) {
      X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
    } else {
      X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), 0);
      SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
    }
    go_on();
  }

  const std::string& distrust() const override { return distrust_; }
  bool is_for_name() const override { return is_for_name_; }
  const std::vector<std::string>& chain() const override { return chain_; }

 private:
  void opened() override {
    const long result = SSL_get_verify_result(ssl_.get());
    if (result != X509_V_OK) distrust_ = X509_verify_cert_error_string(result);
    const STACK_OF(X509)* certificates = SSL_get_peer_cert_chain(ssl_.get());
    for (int i = 0; certificates != nullptr && i < sk_X509_num(certificates); ++i) {
      unsigned char* bytes = nullptr;
      const int size = i2d_X509(sk_X509_value(certificates, i), &bytes);
      if (size > 0)
        chain_.emplace_back(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
      OPENSSL_free(bytes);
    }
    if (chain_.empty()) distrust_ = "it sent no certificate";
    X509* own = SSL_get0_peer_certificate(ssl_.get());
    is_for_name_ =
        own != nullptr &&
        (is_address(name_) ? X509_check_ip_asc(own, name_.c_str(), 0)
                           : X509_check_host(own, name_.c_str(), name_.size(),
                                             X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr)) == 1;
    if (!is_for_name_) distrust_ = "it is for another name";
  }

  const std::string name_;
  bool is_for_name_ = false;
  std::string distrust_;
  std::vector<std::string> chain_;
};

}  // namespace

std::unique_ptr<TlsClientStream> make_client_stream(const std::string& name,
                                                    const std::vector<std::string>& trusted) {
  return std::make_unique<ClientStream>(context_for(trusted), name);
}

}  // namespace cassette
