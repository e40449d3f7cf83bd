// That each end of a TLS connection is to the other side as the one behind it: the real server is asked for what the
// program offers, and the program is shown what the real server has chosen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <string>
#include <vector>

#include "preload/tls/stream.h"
#include "tests/unit/preload/certificates.h"
#include "tests/unit/preload/tls_stream_fixture.h"

namespace cassette {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TlsOffersTest : public TlsStreamTest {
 protected:
  void SetUp() override {
    TlsStreamTest::SetUp();
    authority_ = open_authority("of-the-world");
  }

  RawEnd real_server(int version = TLS1_3_VERSION, const std::string& alpn = {}) const {
    return RawEnd::server(
        {.name = kName, .signer = authority_.get(), .version = version, .alpn = alpn});
  }
  /// As the real server is asked on behalf of that program.
  static ClientHello asked_for(const Process& process, const ClientHello& hello) {
    OurClient client = TlsStreamTest::client(process, hello);
    return read_hello(client.take());
  }
  static std::string chosen_by(const RawEnd& end) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(end.ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  static std::string name_of(const RealCertificate& certificate) {
    const unsigned char* der = nullptr;
    std::size_t size = 0;
    X509_NAME_get0_der(X509_get_subject_name(certificate.get()), &der, &size);
    return {reinterpret_cast<const char*>(der), size};
  }
  /// A server that wants a certificate by one of these, and takes what it is shown.
  static void ask(RawEnd& server, const std::vector<const RealCertificate*>& authorities) {
    SSL_set_verify(server.ssl(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                   [](int, X509_STORE_CTX*) { return 1; });
    for (const RealCertificate* one : authorities) SSL_add_client_CA(server.ssl(), one->get());
  }
  std::string write_key(const std::string& name, EVP_PKEY* key) const {
    const std::string file = folder_ + "/" + name;
    BIO* out = BIO_new_file(file.c_str(), "w");
    EXPECT_EQ(PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
    BIO_free(out);
    return file;
  }
  void TearDown() override {
    EXPECT_EQ(ERR_peek_error(), 0U) << "left in OpenSSL's list: " << openssl_problem();
    TlsStreamTest::TearDown();
  }

  std::unique_ptr<Authority> authority_;  ///< of the real server
};

// ---- what the real server is asked for ----

TEST_F(TlsOffersTest, VersionsAndCiphersAreTheProgramsInItsOrder) {
  Process ours = process();
  for (const auto& [newer, older] : std::vector<std::pair<const char*, const char*>>{
           {"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
           {"TLS_CHACHA20_POLY1305_SHA256", "AES128-SHA:ECDHE-ECDSA-AES256-GCM-SHA384:AES256-SHA"},
           {"TLS_AES_256_GCM_SHA384", "DHE-RSA-AES128-SHA256"}}) {
    for (int most : kVersions) {
      for (int least : kVersions) {
        if (least > most) continue;
        SCOPED_TRACE(std::string(newer) + " " + older + " " + std::to_string(least) + " to " +
                     std::to_string(most));
        RawEnd program = RawEnd::client({.name = kName, .version = most, .least_version = least});
        SSL_set_ciphersuites(program.ssl(), newer);
        SSL_set_cipher_list(program.ssl(), older);
        const std::string flight = program.take();
        if (program.failed()) continue;  // none of them is for that version
        const ClientHello hello = read_hello(flight);
        const ClientHello asked = asked_for(ours, hello);
        EXPECT_EQ(asked.versions, hello.versions);
        EXPECT_EQ(asked.cipher_suites, hello.cipher_suites);
      }
    }
  }
  ERR_clear_error();  // the program's own
}

TEST_F(TlsOffersTest, CiphersThatNobodyKnowsAreLeftOut) {
  Process ours = process();
  ClientHello hello = usual_hello(kName);
  const std::vector<std::uint16_t> known = hello.cipher_suites;
  hello.cipher_suites.insert(hello.cipher_suites.begin(), {0xfefe, 0x1399, 0x5600});
  EXPECT_EQ(asked_for(ours, hello).cipher_suites, known);
}

TEST_F(TlsOffersTest, CipherWithoutACertificateIsNotAskedFor) {
  Process ours = process();
  ClientHello hello = hello_of_version(TLS1_2_VERSION);
  constexpr std::uint16_t kAnonymous = 0x0034;  // ADH-AES128-SHA
  hello.cipher_suites.insert(hello.cipher_suites.begin(), kAnonymous);
  EXPECT_THAT(asked_for(ours, hello).cipher_suites, Not(::testing::Contains(kAnonymous)));
}

TEST_F(TlsOffersTest, NameIsSaidOnlyIfTheProgramDoes) {
  Process ours = process();
  for (const std::string& name : {std::string(kName), std::string()}) {
    const ClientHello hello = usual_hello(name.empty() ? kAddress : name);
    ASSERT_EQ(hello.server_name, name);
    EXPECT_EQ(asked_for(ours, hello).server_name, name);
  }
}

TEST_F(TlsOffersTest, StatusIsAskedForOnlyIfTheProgramDoes) {
  Process ours = process();
  for (bool asks : {true, false}) {
    ClientHello hello = usual_hello(kName);
    hello.status_request = asks;
    EXPECT_EQ(asked_for(ours, hello).status_request, asks);
  }
}

TEST_F(TlsOffersTest, ProtocolsAreThoseOfHttp1ThatTheProgramNames) {
  Process ours = process();
  for (const auto& [offered, asked] :
       std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>>{
           {{}, {}},
           {{"h2", "http/1.1"}, {"http/1.1"}},
           {{"http/1.0", "http/1.1"}, {"http/1.0", "http/1.1"}},
           {{"h2"}, {}}}) {
    ClientHello hello = usual_hello(kName);
    hello.protocols = offered;
    EXPECT_EQ(asked_for(ours, hello).protocols, asked);
  }
}

// ---- what the program is shown ----

TEST_F(TlsOffersTest, VersionIsTheOneThatTheRealServerChose) {
  Process ours = process();
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    RawEnd program =
        RawEnd::client({.name = kName, .version = TLS1_3_VERSION, .least_version = TLS1_VERSION});
    const std::string flight = program.take();
    RawEnd real = real_server(version);
    OurClient client = this->client(ours, read_hello(flight));
    exchange(client, real);
    ASSERT_EQ(client->state(), State::kOpen) << client->problem();
    EXPECT_EQ(client->version(), version);

    OurServer server = this->server(ours, read_hello(flight));
    server.give(flight);
    ServerFace face = this->face();
    face.version = client->version();
    join(program, server, face);
    EXPECT_TRUE(program.is_open());
    EXPECT_EQ(SSL_version(program.ssl()), version);
  }
}

TEST_F(TlsOffersTest, ProtocolIsTakenOnlyIfTheRealServerDid) {
  Process ours = process();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::string& alpn : {std::string("\x08http/1.1"), std::string()}) {
      SCOPED_TRACE(alpn);
      RawEnd program = RawEnd::client({.name = kName, .version = version, .alpn = kHttp2AndHttp1});
      const std::string flight = program.take();
      RawEnd real = real_server(version, alpn);
      OurClient client = this->client(ours, read_hello(flight));
      exchange(client, real);
      ASSERT_EQ(client->state(), State::kOpen) << client->problem();
      EXPECT_EQ(client->takes_protocol(), !alpn.empty());

      OurServer server = this->server(ours, read_hello(flight));
      server.give(flight);
      ServerFace face = this->face();
      face.takes_protocol = client->takes_protocol();
      join(program, server, face);
      EXPECT_TRUE(program.is_open());
      EXPECT_EQ(chosen_by(program), alpn.empty() ? "" : kHttp1);
    }
  }
}

TEST_F(TlsOffersTest, ProgramThatOffersHttp2AloneIsServedWhereNoNameIsTaken) {
  Process ours = process();
  RawEnd program = RawEnd::client({.name = kName, .alpn = kOnlyHttp2});
  OurServer server = server_for(ours, program);
  ServerFace face = this->face();
  face.takes_protocol = false;
  join(program, server, face);
  EXPECT_TRUE(program.is_open());
  EXPECT_EQ(chosen_by(program), "");
}

TEST_F(TlsOffersTest, ChainIsShownWhole) {
  Process ours = process();
  RealCertificate root = make_authority("root"), within = make_authority("within", &root);
  RealCertificate own = make_server(kName, &within);
  const RawIdentity identity{.chain = {own.get(), within.get(), root.get()}, .key = own.key};
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    RawEnd real = RawEnd::server({.identity = &identity, .version = version});
    OurClient client = this->client(ours, hello_of_version(version));
    exchange(client, real);
    ASSERT_EQ(client->state(), State::kOpen) << client->problem();
    EXPECT_THAT(client->chain(), ElementsAre(own.der(), within.der(), root.der()));
    for (bool trusted : {true, false}) {
      RawEnd program = RawEnd::client({.name = kName, .version = version});
      OurServer server = server_for(ours, program);
      ServerFace face = this->face();
      face.chain = client->chain();
      face.is_trusted = trusted;
      join(program, server, face);
      ASSERT_TRUE(program.is_open());
      EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(program.ssl())), 3);
    }
  }
}

TEST_F(TlsOffersTest, FaceThatNoCertificateCanBeLikeFailsWithAnAlert) {
  Process ours = process();
  RawEnd program = RawEnd::client({.name = kName});
  OurServer server = server_for(ours, program);
  ServerFace face = this->face();
  face.chain = {"garbage"};
  EXPECT_EQ(server->present(face), "");
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_THAT(server->problem(), HasSubstr("no certificate can be like that"));
  exchange(program, server);
  EXPECT_TRUE(program.failed());
  ERR_clear_error();  // the program's own
}

TEST_F(TlsOffersTest, WeakRsaKeyIsShownAsWeak) {
  Process ours = process();
  RealCertificate root = make_authority("root");
  CertificatePlan plan{.subject = kName, .extensions = server_extensions(kName), .rsa_bits = 1024};
  RealCertificate own = make_real(plan, &root);
  RawEnd program = RawEnd::client({.name = kName, .version = TLS1_2_VERSION});
  SSL_set_security_level(program.ssl(), 0);
  OurServer server = server_for(ours, program);
  ServerFace face = this->face();
  face.chain = {own.der()};
  join(program, server, face);
  ASSERT_TRUE(program.is_open());
  EVP_PKEY* key = X509_get0_pubkey(SSL_get0_peer_certificate(program.ssl()));
  EXPECT_EQ(EVP_PKEY_get_base_id(key), EVP_PKEY_RSA);
  EXPECT_EQ(EVP_PKEY_get_bits(key), 1024);
}

/// openssl dhparam -outform DER 1024: OpenSSL knows none that are weaker.
constexpr char kWeakParameters[] =
    "30818702818100bd405302fbd649a568c55f17b9400ddcfc718291ce06cf1280c6d255a564508a277fe0f260"
    "b5a3dcde963eb81e47b4b881861ab83a764d099f9c846b7136483169f7067af35db76d40afbac28adb88eba8"
    "0778d780fb0c1d1c174cd6ce8f2c85949646894b8360c9076a7bae51abc19efc4194af38ebe984ee87c05f40"
    "acce17020102";

TEST_F(TlsOffersTest, WeakKeyExchangeIsShownAsWeak) {
  Process ours = process();
  RealCertificate root = make_authority("root");
  CertificatePlan plan{.subject = kName, .extensions = server_extensions(kName), .rsa_bits = 2048};
  RealCertificate own = make_real(plan, &root);
  const RawIdentity identity{.chain = {own.get()}, .key = own.key};
  RawEnd real = RawEnd::server({.identity = &identity, .version = TLS1_2_VERSION});
  SSL_set_security_level(real.ssl(), 0);
  long size = 0;
  unsigned char* der = OPENSSL_hexstr2buf(kWeakParameters, &size);
  const unsigned char* at = der;
  EVP_PKEY* parameters = d2i_KeyParams(EVP_PKEY_DH, nullptr, &at, size);
  OPENSSL_free(der);
  ASSERT_NE(parameters, nullptr);
  ASSERT_EQ(SSL_set0_tmp_dh_pkey(real.ssl(), parameters), 1);

  WeakExchange exchange_of_real;
  for (int level : {1, 2}) {
    RawEnd program = RawEnd::client({.name = kName, .version = TLS1_2_VERSION});
    SSL_set_security_level(program.ssl(), level);
    SSL_set_cipher_list(program.ssl(), "DHE-RSA-AES128-GCM-SHA256");
    const std::string flight = program.take();
    OurClient client = this->client(ours, read_hello(flight));
    if (level == 1) {
      exchange(client, real);
      ASSERT_EQ(client->state(), State::kOpen) << client->problem();
      exchange_of_real = client->exchange();
      EXPECT_EQ(exchange_of_real.cipher, "DHE-RSA-AES128-GCM-SHA256");
    }
    OurServer server = this->server(ours, read_hello(flight));
    server.give(flight);
    ServerFace face = this->face();
    face.exchange = exchange_of_real;
    join(program, server, face);
    EXPECT_EQ(program.is_open(), level == 1);
    EVP_PKEY* used = nullptr;
    if (level == 1 && SSL_get_peer_tmp_key(program.ssl(), &used) == 1) {
      EXPECT_EQ(EVP_PKEY_get_bits(used), 1024);
    }
    EVP_PKEY_free(used);
    EXPECT_EQ(program.error(), level == 1 ? 0 : SSL_R_DH_KEY_TOO_SMALL);
  }
  ERR_clear_error();  // the program's own
}

// ---- certificates of programs ----

TEST_F(TlsOffersTest, ServerThatAsksForNoCertificateIsOne) {
  Process ours = process();
  for (int version : kVersions) {
    RawEnd real = real_server(version);
    OurClient client = this->client(ours, hello_of_version(version));
    exchange(client, real);
    EXPECT_FALSE(client->wants_certificate());
    EXPECT_THAT(client->authorities(), IsEmpty());

    RawEnd program = RawEnd::client({.name = kName, .version = version});
    bool asked = false;
    SSL_set_cert_cb(
        program.ssl(), [](SSL*, void* flag) { return *static_cast<bool*>(flag) = true, 1; },
        &asked);
    OurServer server = server_for(ours, program);
    join(program, server);
    EXPECT_TRUE(program.is_open());
    EXPECT_FALSE(asked);
    EXPECT_FALSE(server->got_certificate());
  }
}

TEST_F(TlsOffersTest, ProgramIsAskedForACertificateByTheSameAuthorities) {
  Process ours = process();
  RealCertificate one = make_authority("one"), other = make_authority("other");
  RealCertificate own = make_server("a program", &one);
  for (int version : kVersions) {
    for (const auto& authorities : {std::vector<const RealCertificate*>{},
                                    std::vector<const RealCertificate*>{&one, &other}}) {
      SCOPED_TRACE(version);
      RawEnd real = real_server(version);
      ask(real, authorities);
      SSL_set_verify(real.ssl(), SSL_VERIFY_PEER, nullptr);  // it may be shown none
      OurClient client = this->client(ours, hello_of_version(version));
      exchange(client, real);
      ASSERT_EQ(client->state(), State::kOpen) << client->problem();
      EXPECT_TRUE(client->wants_certificate());
      std::vector<std::string> names;
      for (const RealCertificate* authority : authorities) names.push_back(name_of(*authority));
      EXPECT_EQ(client->authorities(), names);

      for (bool has_one : {true, false}) {
        RawEnd program = RawEnd::client({.name = kName, .version = version});
        if (has_one) {
          SSL_use_certificate(program.ssl(), own.get());
          SSL_use_PrivateKey(program.ssl(), own.key);
        }
        std::vector<std::string> heard{"none was asked for"};
        SSL_set_cert_cb(
            program.ssl(),
            [](SSL* ssl, void* list) {
              auto& all = *static_cast<std::vector<std::string>*>(list);
              all.clear();
              const STACK_OF(X509_NAME)* asked = SSL_get0_peer_CA_list(ssl);
              for (int i = 0; i < sk_X509_NAME_num(asked); ++i) {
                const unsigned char* der = nullptr;
                std::size_t size = 0;
                X509_NAME_get0_der(sk_X509_NAME_value(asked, i), &der, &size);
                all.emplace_back(reinterpret_cast<const char*>(der), size);
              }
              return 1;
            },
            &heard);
        OurServer server = server_for(ours, program);
        ServerFace face = this->face();
        face.asks_for_certificate = true;
        face.authorities = client->authorities();
        join(program, server, face);
        EXPECT_EQ(server->state(), State::kOpen) << server->problem();
        EXPECT_TRUE(program.is_open());
        EXPECT_EQ(heard, names);
        EXPECT_EQ(server->got_certificate(), has_one) << "whatever it is, it is good";
      }
    }
  }
}

TEST_F(TlsOffersTest, ServerThatInsistsOnACertificateFailsTheHandshakeWithoutOne) {
  Process ours = process();
  RawEnd real = real_server(TLS1_2_VERSION);
  ask(real, {});
  OurClient client = this->client(ours);
  exchange(client, real);
  EXPECT_EQ(client->state(), State::kFailed);
  EXPECT_TRUE(client->wants_certificate()) << "so that one can say why";
  EXPECT_NE(client->problem(), "");
  ERR_clear_error();  // the server's own
}

TEST_F(TlsOffersTest, GivenIdentityIsShownToAServerThatAsks) {
  Process ours = process();
  RealCertificate root = make_authority("root"), within = make_authority("within", &root);
  RealCertificate own = make_server("a program", &within);
  const ClientIdentity identity{
      .certificate = write_certificates(folder_ + "/own.pem", {own.get(), within.get()}),
      .key = write_key("own.key", own.key)};
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    RawEnd real = real_server(version);
    ask(real, {&root});
    OurClient client = this->client(ours, hello_of_version(version), identity);
    exchange(client, real);
    ASSERT_EQ(client->state(), State::kOpen) << client->problem();
    EXPECT_FALSE(real.failed());
    ASSERT_NE(SSL_get0_peer_certificate(real.ssl()), nullptr);
    EXPECT_EQ(der_of(SSL_get0_peer_certificate(real.ssl())), own.der());
    // On the server's side the chain is without its own.
    ASSERT_EQ(sk_X509_num(SSL_get_peer_cert_chain(real.ssl())), 1);
    EXPECT_EQ(der_of(sk_X509_value(SSL_get_peer_cert_chain(real.ssl()), 0)), within.der());
  }
}

TEST_F(TlsOffersTest, IdentityThatCannotBeUsedIsNamed) {
  Process ours = process();
  RealCertificate root = make_authority("root");
  RealCertificate own = make_server("a program", &root);
  const std::string certificate = write_certificates(folder_ + "/own.pem", {own.get()});
  const std::string key = write_key("own.key", own.key);
  const std::string other_key = write_key("other.key", root.key);
  const std::string none = folder_ + "/none.pem";
  for (const ClientIdentity& identity :
       {ClientIdentity{.certificate = none, .key = key},
        ClientIdentity{.certificate = certificate, .key = none},
        ClientIdentity{.certificate = certificate, .key = other_key},
        ClientIdentity{.certificate = certificate, .key = ""},
        ClientIdentity{.certificate = key, .key = certificate}}) {
    SCOPED_TRACE(identity.certificate + " " + identity.key);
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      RawEnd real = real_server(version);
      ask(real, {&root});
      OurClient client = this->client(ours, hello_of_version(version), identity);
      exchange(client, real);
      EXPECT_EQ(client->state(), State::kFailed);
      EXPECT_THAT(client->problem(), HasSubstr(identity.certificate));
      EXPECT_THAT(client->problem(), HasSubstr("cannot be used: "));
      EXPECT_THAT(client->problem(), Not(HasSubstr("no reason given")));
      EXPECT_TRUE(real.failed()) << "it is told";
      ERR_clear_error();  // the server's own
    }
    // A server that does not ask never hears of it.
    RawEnd real = real_server();
    OurClient client = this->client(ours, usual_hello(kName), identity);
    exchange(client, real);
    EXPECT_EQ(client->state(), State::kOpen) << client->problem();
  }
}

}  // namespace
}  // namespace cassette
