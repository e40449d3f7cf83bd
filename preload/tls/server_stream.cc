// The end that stands for the real server. The certificate is chosen when the ClientHello is there: the
// handshake waits until somebody says for whom.
#include <openssl/err.h>

#include <cstring>

#include "preload/tls/stream.h"

namespace cassette {

namespace {

class ServerStream final : public MemoryStream<TlsServerStream> {
 public:
  ServerStream(SSL_CTX* context, Authority& authority, std::string name)
      : MemoryStream(context), authority_(authority), name_(std::move(name)) {
    if (!ssl_) return;
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_accept_state(ssl_.get());
  }

  bool wants_certificate() const override { return waits_; }
  const std::string& server_name() const override { return name_; }

  std::string present(const std::string& tag) override {
    X509* certificate = authority_.leaf(name_, tag);
    if (!waits_ || certificate == nullptr || SSL_use_certificate(ssl_.get(), certificate) != 1 ||
        SSL_use_PrivateKey(ssl_.get(), authority_.leaf_key()) != 1) {
      fail("no certificate for " + name_ + ": " + openssl_problem());
      return {};
    }
    presented_ = true;
    waits_ = false;
    go_on();
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    std::string der(reinterpret_cast<char*>(bytes), size > 0 ? static_cast<std::size_t>(size) : 0);
    OPENSSL_free(bytes);
    return der;
  }

  /// SSL_CTX_set_cert_cb(3): 1 goes on, -1 waits.
  static int choose(SSL* ssl, void*) {
    auto* self = static_cast<ServerStream*>(SSL_get_app_data(ssl));
    if (self->presented_) return 1;
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr && name[0] != '\0') self->name_ = name;
    self->waits_ = true;
    return -1;
  }

 private:
  Authority& authority_;
  std::string name_;
  bool waits_ = false;
  bool presented_ = false;
};

/// RFC 7301: HTTP/1.1 is what we speak. A client that does not offer it gets the alert for that.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned int length, void*) {
  static constexpr char kHttp[] = "http/1.1";
  for (unsigned int at = 0; at < length && at + 1 + offered[at] <= length; at += 1u + offered[at]) {
    if (offered[at] != sizeof kHttp - 1 ||
        std::memcmp(offered + at + 1, kHttp, sizeof kHttp - 1) != 0)
      continue;
    *out = offered + at + 1;
    *size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

Owned<SSL_CTX> make_server_context(const Authority& authority) {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  if (!context) return nullptr;
  std::string keys = authority.ticket_keys();
  static constexpr unsigned char kContext[] = "cassette";
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cert_cb(context.get(), ServerStream::choose, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  bool good = SSL_CTX_set_tlsext_ticket_keys(context.get(), keys.data(),
                                             static_cast<long>(keys.size())) == 1 &&
              SSL_CTX_set_session_id_context(context.get(), kContext, sizeof kContext - 1) == 1;
  return good ? std::move(context) : nullptr;
}

std::unique_ptr<TlsServerStream> make_server_stream(SSL_CTX* context, Authority& authority,
                                                    const std::string& name) {
  return std::make_unique<ServerStream>(context, authority, name);
}

}  // namespace cassette
