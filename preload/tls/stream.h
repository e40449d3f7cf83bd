// What both ends of a TLS connection have in common: an SSL object over two BIOs in memory.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <utility>

#include "preload/tls/authority.h"
#include "preload/tls_api.h"

namespace cassette {

/// `Interface` is TlsServerStream or TlsClientStream.
template <typename Interface>
class MemoryStream : public Interface {
 public:
  using State = TlsStream::State;

  State receive(std::string_view bytes, std::string& plain) override {
    while (!bytes.empty()) {
      const int n = BIO_write(in_, bytes.data(),
                              static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
      if (n <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    go_on();
    read(plain);
    if (!waiting_.empty()) write_waiting();
    return state_;
  }

  void send(std::string_view plain) override {
    if (state_ == State::kHandshaking || !waiting_.empty()) {
      waiting_.append(plain);
    } else if (state_ != State::kFailed) {
      write(plain);
    }
  }

  void close() override {
    if (state_ != State::kOpen && state_ != State::kClosed) return;
    // A second call would wait for the peer's end, and take its data for an error.
    if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    clear_errors();
    SSL_shutdown(ssl_.get());
  }

  // There is no call for an alert of one's own choice: OpenSSL sends one for a record that cannot be. More
  // bytes than the longest record has, because part of the peer's next one may be there.
  void fail(std::string_view problem) override {
    if (state_ == State::kFailed) return;
    std::string garbage("\x16\x03\x03\x40\x00", SSL3_RT_HEADER_LENGTH);
    garbage.resize(2 * SSL3_RT_MAX_ENCRYPTED_LENGTH);
    BIO_write(in_, garbage.data(), static_cast<int>(garbage.size()));
    char byte;
    state_ == State::kHandshaking ? SSL_do_handshake(ssl_.get()) : SSL_read(ssl_.get(), &byte, 1);
    ERR_clear_error();
    failed(problem);
  }

  void take_rest(std::string& bytes) override {
    if (state_ != State::kClosed) return;
    char* data = nullptr;
    const long size = BIO_get_mem_data(in_, &data);
    if (size > 0) bytes.append(data, static_cast<std::size_t>(size));
    (void)BIO_reset(in_);
  }

  void take_output(std::string& bytes) override {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    if (size <= 0) return;
    bytes.append(data, static_cast<std::size_t>(size));
    (void)BIO_reset(out_);
  }

  State state() const override { return state_; }
  const std::string& problem() const override { return problem_; }

 protected:
  explicit MemoryStream(SSL_CTX* context) : ssl_(SSL_new(context)) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    if (!ssl_ || in_ == nullptr || out_ == nullptr) {
      failed("no memory for TLS");
      return;
    }
    BIO_set_mem_eof_return(in_, -1);
    BIO_set_mem_eof_return(out_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
  }

  /// The handshake, as far as it goes.
  void go_on() {
    if (state_ != State::kHandshaking) return;
    clear_errors();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      state_ = State::kOpen;
      write_waiting();
      return;
    }
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ||
        why == SSL_ERROR_WANT_X509_LOOKUP || why == SSL_ERROR_WANT_CLIENT_HELLO_CB)
      return;
    openssl_failed();
  }

  /// Nothing more can be done here; what is in output() is still sent.
  void failed(std::string_view problem) {
    if (state_ == State::kFailed) return;
    state_ = State::kFailed;
    problem_ = problem;
  }
  void openssl_failed() {
    reason_ = ERR_GET_REASON(ERR_peek_last_error());
    failed(openssl_problem());
  }

  Owned<SSL> ssl_;
  int reason_ = 0;  ///< OpenSSL's code for what failed

 private:
  // Into the string itself: the program's threads may have small stacks.
  void read(std::string& plain) {
    constexpr std::size_t kPiece = 4096;
    while (state_ == State::kOpen && (BIO_ctrl_pending(in_) != 0 || SSL_has_pending(ssl_.get()))) {
      const std::size_t size = plain.size();
      plain.resize(size + kPiece);
      clear_errors();
      std::size_t got = 0;
      const int result = SSL_read_ex(ssl_.get(), plain.data() + size, kPiece, &got);
      plain.resize(size + got);
      if (result == 1) continue;
      const int why = SSL_get_error(ssl_.get(), result);
      if (why == SSL_ERROR_ZERO_RETURN) state_ = State::kClosed;
      if (why == SSL_ERROR_SSL || why == SSL_ERROR_SYSCALL) openssl_failed();
      return;
    }
  }

  // Memory takes everything: what SSL_write() does not take is an error, or waits for the end of a renegotiation.
  void write(std::string_view plain) {
    if (plain.empty()) return;
    clear_errors();
    std::size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written);
    if (result == 1) return;
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) {
      waiting_.append(plain);
    } else {
      openssl_failed();
    }
  }

  void write_waiting() {
    if (state_ == State::kHandshaking || state_ == State::kFailed) return;
    write(std::exchange(waiting_, {}));
  }

  /// Clearing what is empty costs as much as a small record.
  static void clear_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
  }

  BIO* in_ = nullptr;   ///< the SSL object's
  BIO* out_ = nullptr;  ///< the SSL object's
  State state_ = State::kHandshaking;
  std::string problem_;
  std::string waiting_;  ///< plain text that came before a handshake was over
};

/// An ALPN name of what we speak (RFC 7301 section 6).
inline bool is_http_1(std::string_view protocol) {
  return protocol == "http/1.1" || protocol == "http/1.0";
}

/// A cipher suite that leaves open who signs how (RFC 8446 appendix B.4). OpenSSL says that of the signalling values, too.
inline bool is_of_tls_1_3(std::uint16_t suite) { return suite >> 8 == 0x13; }

/// By its number on the wire; nullptr: OpenSSL does not know it.
inline const SSL_CIPHER* cipher_of(SSL* ssl, std::uint16_t suite) {
  const unsigned char number[] = {static_cast<unsigned char>(suite >> 8),
                                  static_cast<unsigned char>(suite)};
  return SSL_CIPHER_find(ssl, number);
}

/// One context for all connections of the process. nullptr, and openssl_problem() says why.
Owned<SSL_CTX> make_server_context(const Authority& authority);
Owned<SSL_CTX> make_client_context();
std::unique_ptr<TlsServerStream> make_server_stream(SSL_CTX* context, Authority& authority,
                                                    const ClientHello& hello, bool waits,
                                                    bool resumes);
std::unique_ptr<TlsClientStream> make_client_stream(SSL_CTX* context, const ClientHello& hello,
                                                    const ClientIdentity& identity);

}  // namespace cassette
