// What a ClientHello says, of those that OpenSSL makes here and of some by hand.
#include "parser/client_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>
#include <string_view>
#include <vector>

#include "preload/tls/stream.h"

namespace cassette {
namespace {

using State = ClientHelloReader::State;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

/// A client's first flight.
std::string made_by_openssl(void (*prepare)(SSL_CTX*, SSL*)) {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  Owned<SSL> ssl(SSL_new(context.get()));
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl.get());
  prepare(context.get(), ssl.get());
  SSL_do_handshake(ssl.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  return {data, static_cast<std::size_t>(size)};
}

ClientHello read(std::string_view bytes) {
  ClientHelloReader reader;
  EXPECT_EQ(reader.feed(bytes), State::kComplete);
  return reader.hello();
}
State state_of(std::string_view bytes) { return ClientHelloReader().feed(bytes); }

// ---- by hand ----

std::string number(std::size_t value, std::size_t size) {
  std::string bytes;
  while (size-- > 0) bytes += static_cast<char>(value >> 8 * size);
  return bytes;
}
std::string vector(std::size_t length_size, const std::string& content) {
  return number(content.size(), length_size) + content;
}
std::string extension(std::size_t type, const std::string& data) {
  return number(type, 2) + vector(2, data);
}
std::string record(const std::string& fragment) { return "\x16\x03\x01" + vector(2, fragment); }
std::string message(const std::string& body) { return "\x01" + vector(3, body); }
/// The body of a hello of TLS 1.2 with these extensions; `suites` as they are on the wire.
std::string body(const std::string& extensions, const std::string& suites = "\x13\x01") {
  return "\x03\x03" + std::string(32, 'r') + vector(1, "session") + vector(2, suites) +
         vector(1, std::string(1, '\0')) + (extensions.empty() ? "" : vector(2, extensions));
}
std::string hello_with(const std::string& extensions) { return record(message(body(extensions))); }

TEST(ClientHello, SaysWhatAModernClientOffers) {
  const ClientHello hello = read(made_by_openssl([](SSL_CTX*, SSL* ssl) {
    SSL_set_tlsext_host_name(ssl, "h.example");
    static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
    SSL_set_alpn_protos(ssl, kProtocols, sizeof kProtocols - 1);
    SSL_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    SSL_set_post_handshake_auth(ssl, 1);
    SSL_set1_sigalgs_list(ssl, "ECDSA+SHA256:RSA-PSS+SHA256");
    SSL_set1_groups_list(ssl, "P-384:X25519");
    SSL_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256");
    SSL_set_cipher_list(ssl, "ECDHE-RSA-AES128-GCM-SHA256");
  }));
  EXPECT_EQ(hello.server_name, "h.example");
  EXPECT_THAT(hello.protocols, ElementsAre("h2", "http/1.1"));
  EXPECT_TRUE(hello.offers("h2"));
  EXPECT_FALSE(hello.offers("h"));
  EXPECT_THAT(hello.versions, ElementsAre(TLS1_3_VERSION, TLS1_2_VERSION));
  EXPECT_THAT(hello.cipher_suites, ElementsAre(0x1301, 0xc02f, 0x00ff));  // and renegotiation
  EXPECT_THAT(hello.signature_algorithms, ElementsAre(0x0403, 0x0804));
  EXPECT_THAT(hello.groups, ElementsAre(0x0018, 0x001d));
  EXPECT_FALSE(hello.password);
  EXPECT_TRUE(hello.status_request);
  EXPECT_TRUE(hello.post_handshake_auth);
}

TEST(ClientHello, SaysWhatAnOldClientOffers) {
  const ClientHello hello = read(made_by_openssl([](SSL_CTX*, SSL* ssl) {
    SSL_set_max_proto_version(ssl, TLS1_VERSION);
    SSL_set_min_proto_version(ssl, TLS1_VERSION);
  }));
  EXPECT_EQ(hello.server_name, "");
  EXPECT_THAT(hello.protocols, IsEmpty());
  EXPECT_THAT(hello.versions, ElementsAre(TLS1_VERSION));
  EXPECT_THAT(hello.cipher_suites, Contains(0xc013));
  EXPECT_THAT(hello.signature_algorithms, IsEmpty());
  EXPECT_FALSE(hello.status_request);
  EXPECT_FALSE(hello.post_handshake_auth);
}

TEST(ClientHello, SaysThatItHasAPassword) {
  EXPECT_TRUE(read(hello_with(extension(12, vector(1, "user")))).password);
}

TEST(ClientHello, MayHaveNoExtensions) {
  const ClientHello hello = read(record(message(body(""))));
  EXPECT_THAT(hello.versions, ElementsAre(0x0303));
  EXPECT_THAT(hello.cipher_suites, ElementsAre(0x1301));
}

TEST(ClientHello, LeavesOutWhatSaysNothing) {
  const std::string suites("\x0a\x0a\x13\x01\xfa\xfa\x0a\x1a", 8);
  const std::string extensions =
      extension(0x1a1a, "") + extension(43, vector(1, "\x3a\x3a\x03\x04\x03\x03")) +
      extension(13, vector(2, "\x8a\x8a\x04\x03")) +
      extension(16, vector(2, vector(1, "\x6a\x6a") + vector(1, "h2"))) + extension(0xfafa, "x");
  const ClientHello hello = read(record(message(body(extensions, suites))));
  EXPECT_THAT(hello.cipher_suites, ElementsAre(0x1301, 0x0a1a));
  EXPECT_THAT(hello.versions, ElementsAre(0x0304, 0x0303));
  EXPECT_THAT(hello.signature_algorithms, ElementsAre(0x0403));
  EXPECT_THAT(hello.protocols, ElementsAre("h2"));
}

TEST(ClientHello, MayComeInPieces) {
  const std::string whole =
      made_by_openssl([](SSL_CTX*, SSL* ssl) { SSL_set_tlsext_host_name(ssl, "h.example"); });
  ClientHelloReader reader;
  for (std::size_t i = 0; i + 1 < whole.size(); ++i)
    ASSERT_EQ(reader.feed(whole.substr(i, 1)), State::kIncomplete) << i;
  EXPECT_EQ(reader.feed(whole.substr(whole.size() - 1)), State::kComplete);
  EXPECT_EQ(reader.hello().server_name, "h.example");
  EXPECT_EQ(reader.feed("more"), State::kComplete);
}

TEST(ClientHello, MayBeCutUpIntoRecords) {
  const std::string name = extension(0, vector(2, '\0' + vector(2, "h.example")));
  const std::string whole = message(body(name));
  for (std::size_t size : {1, 2, 3, 4, 5, 40}) {
    std::string bytes;
    for (std::size_t at = 0; at < whole.size(); at += size) bytes += record(whole.substr(at, size));
    EXPECT_EQ(read(bytes).server_name, "h.example") << size;
  }
}

TEST(ClientHello, IsReadUpToItsEnd) {
  const std::string early_data("\x17\x03\x03\x00\x01x", 6);
  EXPECT_EQ(state_of(hello_with("") + early_data), State::kComplete);
  EXPECT_EQ(state_of(record(message(body("")) + "another message")), State::kComplete);
}

TEST(ClientHello, TakesTheFirstHostName) {
  const std::string names = "\x01" + vector(2, "other kind") + '\0' + vector(2, "a.example") +
                            '\0' + vector(2, "b.example");
  EXPECT_EQ(read(hello_with(extension(0, vector(2, names)))).server_name, "a.example");
}

TEST(ClientHello, IsOneOrNone) {
  using std::string_literals::operator""s;
  const std::string good = hello_with(extension(16, vector(2, vector(1, "h2"))));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(state_of(std::string_view(good).substr(0, size)), State::kIncomplete) << size;
  for (const std::string& bytes :
       {"\x15"s,
        "\x16\x02"s,
        "\x80\x2e\x01\x03\x01"s,  // an alert, another version, SSL 2.0
        record("\x02"s),          // a ServerHello
        "\x16\x03\x01\x00\x00"s,
        "\x16\x03\x01\x40\x01"s,  // an empty record, one too large
        record("\x01\x01\x00\x00"s),
        record("\x01\0\0\0"s),                               // a message too large, an empty one
        record("\x01\0\0\x01"s).substr(0, 9) + "\x17\x03"s,  // another record within
        record("\x01\0\0\x01x"s),
        record(message(body("", ""))),      // no cipher suites
        record(message(body("", "\x13"))),  // half a one
        record(message(body("") + "x")),
        hello_with("\0"s),
        hello_with(extension(43, "\x02\x03")),
        hello_with(extension(43, vector(1, "\x03"))),
        hello_with(extension(13, "\0\x02\x04"s)),
        hello_with(extension(16, vector(2, "\x03h2"))),
        hello_with(extension(16, vector(2, "\0"s))),
        hello_with(extension(16, vector(2, vector(1, "h2")) + "x")),
        hello_with(extension(0, "\0\x04\0\0\x02x"s)),
        hello_with(extension(0, ""))}) {
    EXPECT_EQ(state_of(bytes), State::kNoHello) << ::testing::PrintToString(bytes);
  }
}

TEST(ClientHello, MayBeLargeAndNoLarger) {
  auto cut_up = [](const std::string& whole) {
    std::string bytes;
    for (std::size_t at = 0; at < whole.size(); at += ClientHelloReader::kLargestRecord)
      bytes += record(whole.substr(at, ClientHelloReader::kLargestRecord));
    return bytes;
  };
  const std::size_t rest = message(body(extension(21, ""))).size();
  const std::size_t largest = ClientHelloReader::kLargestHello - rest;
  EXPECT_EQ(state_of(cut_up(message(body(extension(21, std::string(largest, '\0')))))),
            State::kComplete);
  EXPECT_EQ(state_of(cut_up(message(body(extension(21, std::string(largest + 1, '\0')))))),
            State::kNoHello);
}

}  // namespace
}  // namespace cassette
