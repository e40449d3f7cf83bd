// The end that stands for the real server. The certificate is chosen when the ClientHello is there: the
// handshake waits until somebody says for whom.
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <cstring>

#include "preload/tls/stream.h"

namespace cassette {

namespace {

class ServerStream final : public MemoryStream<TlsServerStream> {
 public:
  ServerStream(SSL_CTX* context, Authority& authority, ServerNames names, bool resumes)
      : MemoryStream(context), authority_(authority), names_(std::move(names)) {
    if (!ssl_) return;
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_accept_state(ssl_.get());
    // With TLS 1.3 this leaves tickets that are looked up, in a cache that is off.
    if (!resumes) SSL_set_options(ssl_.get(), SSL_OP_NO_TICKET);
  }

  bool wants_certificate() const override { return phase_ == Phase::kWaits; }
  const ServerNames& server_names() const override { return names_; }

  std::string present(const ServerNames& names, const std::string& tag) override {
    X509* certificate = authority_.leaf(names, tag);
    if (phase_ != Phase::kWaits || certificate == nullptr ||
        SSL_use_certificate(ssl_.get(), certificate) != 1 ||
        SSL_use_PrivateKey(ssl_.get(), authority_.leaf_key()) != 1) {
      fail("no certificate can have that name: " + openssl_problem());
      return {};
    }
    phase_ = Phase::kGoesOn;
    go_on();
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    std::string der(reinterpret_cast<char*>(bytes), size > 0 ? static_cast<std::size_t>(size) : 0);
    OPENSSL_free(bytes);
    return der;
  }

  void fail(std::string_view problem) override {
    if (phase_ == Phase::kWaits) {
      phase_ = Phase::kGivesUp;
      SSL_do_handshake(ssl_.get());
      ERR_clear_error();
      failed(problem);
    } else {
      MemoryStream::fail(problem);
    }
  }

  Refusal refusal() const override {
    switch (reason_) {
      case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return Refusal::kCertificate;
      case SSL_R_NO_APPLICATION_PROTOCOL:
        return Refusal::kNoHttp1;
      default:
        return Refusal::kOther;
    }
  }

  /// SSL_CTX_set_cert_cb(3): 1 goes on, -1 waits, 0 gives up with an alert.
  static int choose(SSL* ssl, void*) {
    auto* self = static_cast<ServerStream*>(SSL_get_app_data(ssl));
    if (self->phase_ == Phase::kGoesOn) return 1;
    if (self->phase_ == Phase::kGivesUp) return 0;
    self->take_name();
    self->phase_ = Phase::kWaits;
    return -1;
  }

 private:
  // Nobody asks for a certificate when a session is resumed.
  void opened() override { take_name(); }

  void take_name() {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    if (name != nullptr && name[0] != '\0') names_ = {name};
  }

  /// Of the certificate.
  enum class Phase : std::uint8_t { kNotAsked, kWaits, kGoesOn, kGivesUp };

  Authority& authority_;
  ServerNames names_;
  Phase phase_ = Phase::kNotAsked;
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
  // Sessions are resumed by tickets alone, which work in every process.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_cert_cb(context.get(), ServerStream::choose, nullptr);
  // Accepting a name keeps it with the session, for when that is resumed with TLS 1.2.
  SSL_CTX_set_tlsext_servername_callback(
      context.get(), +[](SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; });
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  bool good = SSL_CTX_set_tlsext_ticket_keys(context.get(), keys.data(),
                                             static_cast<long>(keys.size())) == 1 &&
              SSL_CTX_set_session_id_context(context.get(), kContext, sizeof kContext - 1) == 1;
  return good ? std::move(context) : nullptr;
}

std::unique_ptr<TlsServerStream> make_server_stream(SSL_CTX* context, Authority& authority,
                                                    const ServerNames& names, bool resumes) {
  return std::make_unique<ServerStream>(context, authority, names, resumes);
}

}  // namespace cassette
