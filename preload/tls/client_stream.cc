// The end that talks to the real server, as the program would: what the program's ClientHello offers is offered. It completes
// the handshake with any server: whether that may be trusted is said elsewhere.
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "parser/client_hello.h"
#include "preload/tls/stream.h"

namespace cassette {

namespace {

class ClientStream final : public MemoryStream<TlsClientStream> {
 public:
  ClientStream(SSL_CTX* context, const ClientHello& hello, ClientIdentity identity)
      : MemoryStream(context), identity_(std::move(identity)) {
    if (!ssl_) return;
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_connect_state(ssl_.get());
    if (!hello.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), hello.server_name.c_str());
    offer_versions(hello);
    offer_ciphers(hello);
    offer_groups(hello);
    offer_protocols(hello);
    if (hello.post_handshake_auth) SSL_set_post_handshake_auth(ssl_.get(), 1);
    if (hello.status_request) SSL_set_tlsext_status_type(ssl_.get(), TLSEXT_STATUSTYPE_ocsp);
    SSL_set_cert_cb(ssl_.get(), asked_for_certificate, this);
    go_on();
  }

  const std::vector<std::string>& chain() override {
    if (!chain_.empty()) return chain_;
    const STACK_OF(X509)* certificates = SSL_get_peer_cert_chain(ssl_.get());
    for (int i = 0; i < sk_X509_num(certificates); ++i)
      chain_.push_back(der_of(sk_X509_value(certificates, i)));
    return chain_;
  }
  int alert() const override {
    const bool alerted = state() == State::kFailed && reason_ >= SSL_AD_REASON_OFFSET;
    return alerted ? reason_ - SSL_AD_REASON_OFFSET : 0;
  }
  int version() const override { return SSL_version(ssl_.get()); }
  bool takes_protocol() const override {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return size != 0;
  }
  std::string status() const override {
    const unsigned char* response = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(ssl_.get(), &response);
    return size > 0 ? std::string(reinterpret_cast<const char*>(response),
                                  static_cast<std::size_t>(size))
                    : std::string();
  }
  WeakExchange exchange() const override {
    WeakExchange exchange;
    const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
    EVP_PKEY* key = nullptr;
    if (cipher == nullptr || SSL_CIPHER_get_kx_nid(cipher) != NID_kx_dhe ||
        SSL_get_peer_tmp_key(ssl_.get(), &key) != 1) {
      return exchange;
    }
    unsigned char* bytes = nullptr;
    const int size = i2d_KeyParams(key, &bytes);
    if (size > 0) {
      exchange.cipher = SSL_CIPHER_get_name(cipher);
      exchange.parameters.assign(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    }
    OPENSSL_free(bytes);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return exchange;
  }
  bool wants_certificate() const override { return wants_certificate_; }
  const std::vector<std::string>& authorities() const override { return authorities_; }

 private:
  void offer_versions(const ClientHello& hello) {
    if (hello.versions.empty()) return;
    const auto [least, most] = std::minmax_element(hello.versions.begin(), hello.versions.end());
    SSL_set_max_proto_version(ssl_.get(), *most);
    // One that is said alone is the highest (RFC 5246 appendix E.1).
    if (hello.versions.size() > 1 || *most > TLS1_2_VERSION)
      SSL_set_min_proto_version(ssl_.get(), std::max<int>(*least, TLS1_VERSION));
  }

  void offer_ciphers(const ClientHello& hello) {
    std::string older;
    std::string newer;  // of TLS 1.3
    for (const std::uint16_t suite : hello.cipher_suites) {
      const SSL_CIPHER* cipher = cipher_of(ssl_.get(), suite);
      if (cipher == nullptr) continue;
      const bool is_newer = is_of_tls_1_3(suite);
      // OpenSSL says itself what is no cipher, and only a signal (RFC 5746 section 3.3, RFC 7507).
      if (!is_newer && SSL_CIPHER_get_auth_nid(cipher) == NID_auth_any) continue;
      // A key exchange without a certificate would have nobody to be judged.
      if (SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null) continue;
      (is_newer ? newer : older).append(":").append(SSL_CIPHER_get_name(cipher));
    }
    if (!older.empty()) SSL_set_cipher_list(ssl_.get(), older.c_str() + 1);
    if (!newer.empty()) SSL_set_ciphersuites(ssl_.get(), newer.c_str() + 1);
    ERR_clear_error();
  }

  /// A server that knows none of them breaks off.
  void offer_groups(const ClientHello& hello) {
    std::string list;
    for (const std::uint16_t group : hello.groups) {
      // By the number that is in the hello, and not by one of OpenSSL's own.
      const int number = TLSEXT_nid_unknown | group;
      if (const char* name = SSL_group_to_name(ssl_.get(), number)) list.append(":").append(name);
    }
    if (!list.empty()) SSL_set1_groups_list(ssl_.get(), list.c_str() + 1);
    ERR_clear_error();
  }

  /// Those of HTTP/1, which is what we speak.
  void offer_protocols(const ClientHello& hello) {
    std::string list;
    for (const std::string& name : hello.protocols) {
      if (!is_http_1(name)) continue;
      list += static_cast<char>(name.size());
      list += name;
    }
    if (!list.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<unsigned>(list.size()));
    }
  }

  /// SSL_CTX_set_cert_cb(3): 1 goes on, with a certificate or without.
  static int asked_for_certificate(SSL* ssl, void* argument) {
    auto* self = static_cast<ClientStream*>(argument);
    self->wants_certificate_ = true;
    self->authorities_ = names_of(SSL_get0_peer_CA_list(ssl));
    if (self->identity_.certificate.empty()) return 1;
    if (SSL_use_certificate_chain_file(ssl, self->identity_.certificate.c_str()) != 1 ||
        SSL_use_PrivateKey_file(ssl, self->identity_.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      self->failed("the certificate to show the server (" + self->identity_.certificate + ", key " +
                   self->identity_.key + ") cannot be used: " + openssl_problem());
      return 0;
    }
    return 1;
  }

  static std::vector<std::string> names_of(const STACK_OF(X509_NAME) * names) {
    std::vector<std::string> all;
    for (int i = 0; i < sk_X509_NAME_num(names); ++i) {
      const unsigned char* der = nullptr;
      std::size_t size = 0;
      if (X509_NAME_get0_der(sk_X509_NAME_value(names, i), &der, &size) == 1)
        all.emplace_back(reinterpret_cast<const char*>(der), size);
    }
    return all;
  }

  const ClientIdentity identity_;
  std::vector<std::string> chain_;
  bool wants_certificate_ = false;
  std::vector<std::string> authorities_;
};

}  // namespace

Owned<SSL_CTX> make_client_context() {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return nullptr;
  // What the program would refuse for its weakness it has not offered, or it is shown something as weak.
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_cipher_list(context.get(), "ALL");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
  return context;
}

std::unique_ptr<TlsClientStream> make_client_stream(SSL_CTX* context, const ClientHello& hello,
                                                    const ClientIdentity& identity) {
  return std::make_unique<ClientStream>(context, hello, identity);
}

}  // namespace cassette
