// What the tests of TLS share: sessions' authorities in a directory of their own, the library's ends, the
// ends of others (OpenSSL alone, over memory), and the bytes between them.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/client_hello.h"
#include "preload/tls/authority.h"
#include "preload/tls/stream.h"
#include "preload/tls_api.h"

namespace cassette {

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cassette_tls_start(kTlsVersion, nullptr);  // OpenSSL as the library has it
    std::string pattern = std::filesystem::temp_directory_path() / "tls-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// The session's authority in that file; the same file is the same session.
  std::unique_ptr<Authority> open_authority(const std::string& name = "authority") const {
    auto authority = Authority::open(folder_ + "/" + name);
    EXPECT_TRUE(authority.ok()) << authority.error().message;
    return authority.ok() ? std::move(*authority) : nullptr;
  }
  /// A file of trusted certificates.
  std::string write_pem(const Authority& authority, const std::string& name = "trusted.pem") const {
    std::string file = folder_ + "/" + name;
    std::ofstream(file) << authority.pem();
    return file;
  }

  std::string folder_;
};

/// What a server of that name shows, whose certificate is signed by the authority.
inline const Authority::Identity& identity_of(Authority& authority, const std::string& name) {
  ServerFace face;
  face.names = {name};
  return authority.identity_of(face, /*rsa_bits=*/0);
}

/// What a client says whose first flight that is.
inline ClientHello read_hello(std::string_view flight) {
  ClientHelloReader reader;
  EXPECT_EQ(reader.feed(flight), ClientHelloReader::State::kComplete);
  return reader.hello();
}

/// One of the library's ends.
template <typename Stream>
class OurEnd {
 public:
  explicit OurEnd(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  Stream* operator->() const { return stream_.get(); }

  void give(std::string_view bytes) { stream_->receive(bytes, plain); }
  std::string take() {
    std::string bytes;
    stream_->take_output(bytes);
    return bytes;
  }

  std::string plain;  ///< what the other end has sent

 private:
  std::unique_ptr<Stream> stream_;
};
using OurServer = OurEnd<TlsServerStream>;
using OurClient = OurEnd<TlsClientStream>;

struct FreeTlsSession {
  void operator()(SSL_SESSION* p) const { SSL_SESSION_free(p); }
};
/// What a client keeps of a connection, to resume it with another one.
using TlsSession = std::unique_ptr<SSL_SESSION, FreeTlsSession>;

/// What an end shows.
struct RawIdentity {
  std::vector<X509*> chain;  ///< its own certificate first
  EVP_PKEY* key = nullptr;
};

/// How an end that is not ours is made. Each has its own SSL_CTX.
struct RawOptions {
  std::string name = {};                  ///< a client's SNI; a server's certificate
  const Authority* trusts = nullptr;      ///< a client's; nullptr: it does not check
  Authority* signer = nullptr;            ///< of a server's certificate
  const RawIdentity* identity = nullptr;  ///< instead of that
  int version = TLS1_3_VERSION;           ///< and no other
  int least_version = 0;                  ///< but from this one on; 0: that alone
  std::string alpn = {};                  ///< as on the wire; empty: none is offered, or chosen
  SSL_SESSION* session = nullptr;         ///< to be resumed
  /// Takes the place of a client's check of the certificate: 1 accepts it.
  int (*check)(X509_STORE_CTX* context, void* argument) = nullptr;
  void* argument = nullptr;
};

/// An end of somebody else's.
class RawEnd {
 public:
  static RawEnd client(const RawOptions& options) { return {options, TLS_client_method()}; }
  static RawEnd server(const RawOptions& options) { return {options, TLS_server_method()}; }

  SSL* ssl() const { return ssl_.get(); }
  bool is_open() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool failed() const { return error_ != 0; }
  /// ERR_GET_REASON() of what went wrong; 0: nothing.
  int error() const { return error_; }
  bool got_close() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  void give(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    go_on();
  }
  std::string take() {
    go_on();
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    std::string bytes(data, size > 0 ? static_cast<std::size_t>(size) : 0);
    (void)BIO_reset(out_);
    return bytes;
  }
  /// Waits until the handshake is over.
  void send(std::string_view text) {
    waiting_.append(text);
    go_on();
  }
  void close() { SSL_shutdown(ssl_.get()); }
  void go_on() {
    if (failed()) return;
    ERR_clear_error();
    if (!is_open()) note(SSL_do_handshake(ssl()));
    if (!is_open() || failed()) return;
    if (!waiting_.empty()) {
      note(SSL_write(ssl(), waiting_.data(), static_cast<int>(waiting_.size())));
      waiting_.clear();
    }
    char buffer[16 * 1024];
    int n = 0;
    while ((n = SSL_read(ssl(), buffer, sizeof buffer)) > 0) {
      plain.append(buffer, static_cast<std::size_t>(n));
    }
    note(n);
  }

  std::string plain;  ///< what the other end has sent

 private:
  RawEnd(const RawOptions& options, const SSL_METHOD* method) : context_(SSL_CTX_new(method)) {
    SSL_CTX* context = context_.get();
    const bool is_server = method == TLS_server_method();
    const int least = options.least_version != 0 ? options.least_version : options.version;
    if (least < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, least);
    SSL_CTX_set_max_proto_version(context, options.version);
    if (is_server) {
      show(options);
      alpn_ = std::make_unique<std::string>(options.alpn);
      SSL_CTX_set_alpn_select_cb(context, choose, alpn_.get());
    }
    if (options.trusts != nullptr) {
      Owned<X509> root = certificate_of(options.trusts->der());
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get());
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    }
    if (options.check != nullptr) {
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
      SSL_CTX_set_cert_verify_callback(context, options.check, options.argument);
    }
    if (!is_server) {
      SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                              static_cast<unsigned>(options.alpn.size()));
    }
    ssl_.reset(SSL_new(context));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    BIO_set_mem_eof_return(out_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    if (is_server) {
      SSL_set_accept_state(ssl_.get());
      return;
    }
    SSL_set_connect_state(ssl_.get());
    if (!options.name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.name.c_str());
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
  }

  void show(const RawOptions& options) {
    RawIdentity identity;
    if (options.identity != nullptr) {
      identity = *options.identity;
    } else {
      const Authority::Identity& made = identity_of(*options.signer, options.name);
      ASSERT_FALSE(made.chain.empty());
      identity = {.chain = {made.chain.front().get()}, .key = made.key};
    }
    ASSERT_EQ(SSL_CTX_use_certificate(context_.get(), identity.chain.front()), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey(context_.get(), identity.key), 1);
    for (std::size_t i = 1; i < identity.chain.size(); ++i)
      ASSERT_EQ(SSL_CTX_add1_chain_cert(context_.get(), identity.chain[i]), 1);
  }

  /// The server's first of those that the client offers, too.
  static int choose(SSL*, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned length, void* argument) {
    const auto& own = *static_cast<const std::string*>(argument);
    unsigned char* chosen = nullptr;
    if (own.empty() ||
        SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(own.data()),
                              static_cast<unsigned>(own.size()), offered,
                              length) != OPENSSL_NPN_NEGOTIATED) {
      return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
  }

  void note(int result) {
    if (result > 0) return;
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_SSL || why == SSL_ERROR_SYSCALL) {
      error_ = ERR_GET_REASON(ERR_peek_error());
      if (error_ == 0) error_ = -1;
    }
  }

  std::unique_ptr<std::string> alpn_;  ///< a server's; where it is stays the same
  Owned<SSL_CTX> context_;
  Owned<SSL> ssl_;
  BIO* in_ = nullptr;   ///< the SSL object's
  BIO* out_ = nullptr;  ///< the SSL object's
  std::string waiting_;
  int error_ = 0;
};

/// Bytes between two ends until both are silent. True when there were any.
template <typename One, typename Other>
bool exchange(One& one, Other& other) {
  bool any = false;
  for (;;) {
    const std::string there = one.take();
    if (!there.empty()) other.give(there);
    const std::string back = other.take();
    if (!back.empty()) one.give(back);
    if (there.empty() && back.empty()) return any;
    any = true;
  }
}

}  // namespace cassette
