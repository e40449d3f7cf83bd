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

/// One for each set of anchors; never freed.
SSL_CTX* context_for(const Anchors& anchors) {
  static std::mutex mutex;
  static auto* contexts = new std::map<Anchors, Owned<SSL_CTX>>;
  std::lock_guard guard(mutex);
  Owned<SSL_CTX>& context = (*contexts)[anchors];
  if (context) return context.get();
  context.reset(SSL_CTX_new(TLS_client_method()));
  if (!context) return nullptr;
  for (const std::string& file : anchors.files)
    SSL_CTX_load_verify_file(context.get(), file.c_str());
  for (const std::string& der : anchors.certificates) {
    auto* at = reinterpret_cast<const unsigned char*>(der.data());
    Owned<X509> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (certificate) X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), certificate.get());
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
  ClientStream(SSL_CTX* context, const ServerNames& names) : MemoryStream(context), names_(names) {
    if (!ssl_) return;
    SSL_set_connect_state(ssl_.get());
    if (!is_address(names.front())) SSL_set_tlsext_host_name(ssl_.get(), names.front().c_str());
    go_on();
  }

  const std::string& distrust() const override { return distrust_; }
  const ServerNames& matching_names() const override { return matching_; }
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
    for (const std::string& name : names_) {
      if (own != nullptr && is_for(own, name)) matching_.push_back(name);
    }
    if (matching_.empty()) distrust_ = "it is for another name";
  }

  static bool is_for(X509* certificate, const std::string& name) {
    if (is_address(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
    return X509_check_host(certificate, name.c_str(), name.size(),
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
  }

  const ServerNames names_;
  ServerNames matching_;
  std::string distrust_;
  std::vector<std::string> chain_;
};

}  // namespace

std::unique_ptr<TlsClientStream> make_client_stream(const ServerNames& names,
                                                    const Anchors& anchors) {
  return std::make_unique<ClientStream>(context_for(anchors), names);
}

}  // namespace cassette
