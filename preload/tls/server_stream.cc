// The end that stands for the real server. What it shows is chosen when the ClientHello is there: the handshake waits until
// somebody says what.
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "parser/client_hello.h"
#include "preload/tls/mirror.h"
#include "preload/tls/stream.h"

// There is no public function for an alert of one's own choice. This one has been in every OpenSSL, which is linked in.
extern "C" int ssl3_send_alert(SSL* ssl, int level, int description);

namespace cassette {

namespace {

class ServerStream final : public MemoryStream<TlsServerStream> {
 public:
  ServerStream(SSL_CTX* context, Authority& authority, const ClientHello& hello, bool waits,
               bool resumes)
      : MemoryStream(context), authority_(authority), hello_(hello), waits_(waits) {
    if (!ssl_) return;
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_accept_state(ssl_.get());
    // With TLS 1.3 this leaves tickets that are looked up, in a cache that is off.
    if (!resumes) SSL_set_options(ssl_.get(), SSL_OP_NO_TICKET);
  }

  bool wants_certificate() const override { return phase_ == Phase::kWaits; }

  std::string present(const ServerFace& face) override {
    int rsa_bits = face.chain.empty() ? 0 : weak_rsa_bits(face.chain.front());
    constexpr int kUsualBits = 2048;
    if (rsa_bits == 0 && (!takes_ecdsa() || !face.exchange.cipher.empty())) rsa_bits = kUsualBits;
    const Authority::Identity& identity = authority_.identity_of(face, rsa_bits);
    if (phase_ != Phase::kWaits || !show(identity) || !behave(face) ||
        !exchange_keys(face.exchange) || !staple(face, identity)) {
      fail("no certificate can be like that: " + openssl_problem());
      return {};
    }
    phase_ = Phase::kGoesOn;
    go_on();
    return identity.leaf;
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

  void alert(int number) override {
    ssl3_send_alert(ssl_.get(), SSL3_AL_FATAL, number);
    ERR_clear_error();
  }

  bool got_certificate() const override { return SSL_get0_peer_certificate(ssl_.get()) != nullptr; }
  const std::string& status_signer() const override { return status_signer_; }
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

  /// SSL_CTX_set_client_hello_cb(3): before version, cipher or anything else is chosen.
  static int at_hello(SSL* ssl, int*, void*) {
    auto* self = static_cast<ServerStream*>(SSL_get_app_data(ssl));
    if (!self->waits_ || self->phase_ == Phase::kGoesOn) return SSL_CLIENT_HELLO_SUCCESS;
    if (self->phase_ == Phase::kGivesUp) return SSL_CLIENT_HELLO_ERROR;
    self->phase_ = Phase::kWaits;
    return SSL_CLIENT_HELLO_RETRY;
  }

  /// SSL_CTX_set_cert_cb(3): 1 goes on, -1 waits, 0 gives up with an alert. Nobody asks for a certificate when a session is
  /// resumed.
  static int at_certificate(SSL* ssl, void*) {
    auto* self = static_cast<ServerStream*>(SSL_get_app_data(ssl));
    if (self->phase_ == Phase::kGoesOn) return 1;
    if (self->phase_ == Phase::kGivesUp) return 0;
    self->phase_ = Phase::kWaits;
    return -1;
  }

  /// SSL_CTX_set_tlsext_status_cb(3).
  static int at_status(SSL* ssl, void*) {
    const std::string& status = static_cast<ServerStream*>(SSL_get_app_data(ssl))->status_;
    if (status.empty()) return SSL_TLSEXT_ERR_NOACK;
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(status.data(), status.size()));
    if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(status.size()));
    return SSL_TLSEXT_ERR_OK;
  }

  /// SSL_CTX_set_alpn_select_cb(3), RFC 7301: HTTP/1 is what we speak. A client that does not offer it gets the alert for
  /// that; where the real server knows nothing of such names, neither do we.
  static int at_protocols(SSL* ssl, const unsigned char** out, unsigned char* size,
                          const unsigned char* offered, unsigned int length, void*) {
    auto* self = static_cast<ServerStream*>(SSL_get_app_data(ssl));
    if (!self->takes_protocol_) return SSL_TLSEXT_ERR_NOACK;
    for (unsigned int at = 0; at < length && at + 1 + offered[at] <= length;
         at += 1u + offered[at]) {
      if (!is_http_1({reinterpret_cast<const char*>(offered + at + 1), offered[at]})) continue;
      *out = offered + at + 1;
      *size = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }

 private:
  bool show(const Authority::Identity& identity) {
    if (identity.chain.empty() ||
        SSL_use_certificate(ssl_.get(), identity.chain.front().get()) != 1 ||
        SSL_use_PrivateKey(ssl_.get(), identity.key) != 1) {
      return false;
    }
    for (std::size_t i = 1; i < identity.chain.size(); ++i) {
      if (SSL_add1_chain_cert(ssl_.get(), identity.chain[i].get()) != 1) return false;
    }
    return true;
  }

  bool behave(const ServerFace& face) {
    takes_protocol_ = face.takes_protocol;
    if (face.version != 0 && (SSL_set_min_proto_version(ssl_.get(), face.version) != 1 ||
                              SSL_set_max_proto_version(ssl_.get(), face.version) != 1)) {
      return false;
    }
    if (!face.asks_for_certificate) return true;
    // Whatever the program shows is good: the real server never sees it.
    SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
    for (const std::string& der : face.authorities) {
      const auto* at = reinterpret_cast<const unsigned char*>(der.data());
      X509_NAME* name = d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size()));
      if (name != nullptr && sk_X509_NAME_push(names, name) <= 0) X509_NAME_free(name);
    }
    SSL_set0_CA_list(ssl_.get(), names);
    return true;
  }

  /// As weak as the real server does.
  bool exchange_keys(const WeakExchange& exchange) {
    if (exchange.cipher.empty()) return true;
    const auto* at = reinterpret_cast<const unsigned char*>(exchange.parameters.data());
    EVP_PKEY* parameters =
        d2i_KeyParams(EVP_PKEY_DH, nullptr, &at, static_cast<long>(exchange.parameters.size()));
    if (parameters == nullptr) return false;
    if (SSL_set0_tmp_dh_pkey(ssl_.get(), parameters) != 1) {
      EVP_PKEY_free(parameters);
      return false;
    }
    SSL_set_dh_auto(ssl_.get(), 0);  // which would come first
    return SSL_set_cipher_list(ssl_.get(), exchange.cipher.c_str()) == 1;
  }

  bool staple(const ServerFace& face, const Authority::Identity& identity) {
    if (!face.has_status || !hello_.status_request) return true;
    const Authority::Status status = authority_.status_of(identity, face.status);
    status_ = status.response;
    status_signer_ = status.signer;
    // A client that looks at the status needs to see who said it.
    return !status.adds_signer || SSL_add1_chain_cert(ssl_.get(), authority_.certificate()) == 1;
  }

  /// The program can do with a P-256 key.
  bool takes_ecdsa() const {
    constexpr std::uint16_t kP256 = 0x0403;  // ecdsa_secp256r1_sha256, RFC 8446 section 4.2.3
    const auto& algorithms = hello_.signature_algorithms;
    if (!algorithms.empty() &&
        std::find(algorithms.begin(), algorithms.end(), kP256) == algorithms.end()) {
      return false;
    }
    return std::any_of(
        hello_.cipher_suites.begin(), hello_.cipher_suites.end(), [this](std::uint16_t suite) {
          const SSL_CIPHER* cipher = cipher_of(ssl_.get(), suite);
          if (cipher == nullptr) return false;
          return is_of_tls_1_3(suite) || SSL_CIPHER_get_auth_nid(cipher) == NID_auth_ecdsa;
        });
  }

  enum class Phase : std::uint8_t { kNotAsked, kWaits, kGoesOn, kGivesUp };

  Authority& authority_;
  const ClientHello hello_;
  const bool waits_;
  bool takes_protocol_ = true;
  std::string status_;  ///< OCSP, DER
  std::string status_signer_;
  Phase phase_ = Phase::kNotAsked;
};

}  // namespace

Owned<SSL_CTX> make_server_context(const Authority& authority) {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  if (!context) return nullptr;
  std::string keys = authority.ticket_keys();
  static constexpr unsigned char kContext[] = "cassette";
  // The program chooses how weak it may be.
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_cipher_list(context.get(), "ALL:!aNULL");
  SSL_CTX_set_dh_auto(context.get(), 1);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  // A program that renegotiates has a server that lets it.
  SSL_CTX_set_options(context.get(),
                      SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  // Sessions are resumed by tickets alone, which work in every process.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_client_hello_cb(context.get(), ServerStream::at_hello, nullptr);
  SSL_CTX_set_cert_cb(context.get(), ServerStream::at_certificate, nullptr);
  // Accepting a name keeps it with the session, for when that is resumed with TLS 1.2.
  SSL_CTX_set_tlsext_servername_callback(
      context.get(), +[](SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; });
  SSL_CTX_set_tlsext_status_cb(context.get(), ServerStream::at_status);
  SSL_CTX_set_alpn_select_cb(context.get(), ServerStream::at_protocols, nullptr);
  bool good = SSL_CTX_set_tlsext_ticket_keys(context.get(), keys.data(),
                                             static_cast<long>(keys.size())) == 1 &&
              SSL_CTX_set_session_id_context(context.get(), kContext, sizeof kContext - 1) == 1;
  return good ? std::move(context) : nullptr;
}

std::unique_ptr<TlsServerStream> make_server_stream(SSL_CTX* context, Authority& authority,
                                                    const ClientHello& hello, bool waits,
                                                    bool resumes) {
  return std::make_unique<ServerStream>(context, authority, hello, waits, resumes);
}

}  // namespace cassette
