// Both ends of a TLS connection, joined in memory: with each other, and with the ends of others.
#include "preload/tls/stream.h"

#include <gtest/gtest.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "tests/unit/preload/tls_stream_fixture.h"

namespace cassette {
namespace {

// ---- the handshake ----

TEST_F(TlsStreamTest, HandshakeWaitsForTheCertificate) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  EXPECT_FALSE(server->wants_certificate());
  exchange(client, server);
  EXPECT_TRUE(server->wants_certificate());
  EXPECT_EQ(server->state(), State::kHandshaking);
  EXPECT_EQ(client->state(), State::kHandshaking);
  EXPECT_EQ(server.take(), "");

  const std::string certificate = server->present(face());
  EXPECT_FALSE(server->wants_certificate());
  exchange(client, server);
  EXPECT_EQ(server->state(), State::kOpen);
  EXPECT_EQ(client->state(), State::kOpen);
  EXPECT_EQ(client->chain(), std::vector<std::string>{certificate});
}

TEST_F(TlsStreamTest, HandshakeNeedsNoBytesTogether) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  for (int round = 0; round < 4; ++round) {
    for (char byte : client.take()) server.give({&byte, 1});
    if (server->wants_certificate()) server->present(face());
    for (char byte : server.take()) client.give({&byte, 1});
  }
  EXPECT_EQ(server->state(), State::kOpen);
  EXPECT_EQ(client->state(), State::kOpen);
}

TEST_F(TlsStreamTest, CertificateBeforeTheClientHelloIsAnError) {
  Process ours = process();
  OurServer server = this->server(ours);
  EXPECT_EQ(server->present(face()), "");
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_NE(server->problem(), "");
}

TEST_F(TlsStreamTest, AllVersionsAreSpokenAsTheProgramOffersThem) {
  Process ours = process();
  for (int version : kVersions) {
    SCOPED_TRACE(version);
    RawEnd client =
        RawEnd::client({.name = kName, .trusts = ours.authority.get(), .version = version});
    OurServer server = server_for(ours, client);
    EXPECT_TRUE(join(client, server));
    EXPECT_EQ(server->state(), State::kOpen) << server->problem();
    EXPECT_TRUE(client.is_open());
    EXPECT_EQ(SSL_version(client.ssl()), version);

    RawEnd other =
        RawEnd::server({.name = kName, .signer = ours.authority.get(), .version = version});
    OurClient own = this->client(ours, hello_of_version(version));
    exchange(own, other);
    EXPECT_EQ(own->state(), State::kOpen) << own->problem();
    EXPECT_EQ(own->version(), version);
    EXPECT_TRUE(other.is_open());
  }
}

TEST_F(TlsStreamTest, VersionThatTheProgramDoesNotOfferIsNotTaken) {
  Process ours = process();
  for (int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    RawEnd other =
        RawEnd::server({.name = kName, .signer = ours.authority.get(), .version = version});
    OurClient own = this->client(ours);
    exchange(own, other);
    EXPECT_EQ(own->state(), State::kFailed);
    EXPECT_NE(own->problem(), "");
  }
  RawEnd newest = RawEnd::server({.name = kName, .signer = ours.authority.get()});
  OurClient older = client(ours, hello_of_version(TLS1_2_VERSION));
  exchange(older, newest);
  EXPECT_EQ(older->state(), State::kFailed);
}

TEST_F(TlsStreamTest, WhatIsNoTlsFailsWithAProblem) {
  Process ours = process();
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), std::string(100, 'x'),
        std::string("\x16\x03\x01\x00\x10", 5) + std::string(16, '\xff')}) {
    OurServer server = this->server(ours);
    server.give(bytes);
    EXPECT_EQ(server->state(), State::kFailed);
    EXPECT_NE(server->problem(), "");
    EXPECT_FALSE(server->wants_certificate());
    EXPECT_EQ(server.plain, "");

    OurClient client = this->client(ours);
    client.give(bytes);
    EXPECT_EQ(client->state(), State::kFailed);
    EXPECT_NE(client->problem(), "");
  }
}

TEST_F(TlsStreamTest, BytesThatWereChangedOnTheWayFail) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  join(client, server);
  client->send("hello");
  std::string bytes = client.take();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  server.give(bytes);
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_NE(server->problem(), "");
  EXPECT_EQ(server.plain, "");
}

TEST_F(TlsStreamTest, FailedEndStaysSo) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  join(client, server);
  server->fail("a reason");
  server->fail("another");
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_EQ(server->problem(), "a reason");
  client->send("hello");
  server.give(client.take());
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_EQ(server.plain, "");
  server.take();
  server->send("hello");
  EXPECT_EQ(server.take(), "") << "no plain text goes out any more";
}

// ---- who is trusted ----

TEST_F(TlsStreamTest, ProgramThatDoesNotTrustUsIsNoticed) {
  Process ours = process();
  auto another = open_authority("another");
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawEnd client = RawEnd::client({.name = kName, .trusts = another.get(), .version = version});
    OurServer server = server_for(ours, client);
    join(client, server);
    EXPECT_EQ(client.error(), SSL_R_CERTIFICATE_VERIFY_FAILED);
    EXPECT_EQ(server->state(), State::kFailed);
    EXPECT_NE(server->problem(), "");
  }
}

// ---- protocols ----

TEST_F(TlsStreamTest, OnlyHttp1IsChosen) {
  Process ours = process();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawEnd client = RawEnd::client({.name = kName, .version = version, .alpn = kHttp2AndHttp1});
    OurServer server = server_for(ours, client);
    join(client, server);
    EXPECT_TRUE(client.is_open());
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.ssl(), &chosen, &size);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), kHttp1);
  }
}

TEST_F(TlsStreamTest, ClientThatSpeaksOnlyHttp2IsToldSo) {
  Process ours = process();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawEnd client = RawEnd::client({.name = kName, .version = version, .alpn = kOnlyHttp2});
    OurServer server = server_for(ours, client);
    join(client, server);
    EXPECT_EQ(server->state(), State::kFailed);
    EXPECT_NE(server->problem(), "");
    EXPECT_EQ(client.error(), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
  }
}

// ---- plain text ----

TEST_F(TlsStreamTest, PlainTextBeforeTheHandshakeWaitsForIt) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  client->send("question ");
  client->send("and more");
  server->send("answer");
  join(client, server);
  EXPECT_EQ(server.plain, "question and more");
  EXPECT_EQ(client.plain, "answer");
}

TEST_F(TlsStreamTest, PlainTextGoesBothWays) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  join(client, server);
  for (const char* text : {"one", "", "two"}) {
    client->send(text);
    server->send(text);
    exchange(client, server);
  }
  EXPECT_EQ(server.plain, "onetwo");
  EXPECT_EQ(client.plain, "onetwo");
}

TEST_F(TlsStreamTest, MegabytesGoBothWaysInAnyPieces) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  join(client, server);
  constexpr std::size_t kSize = 5'000'000;
  const std::string there = random_bytes(kSize, 1), back = random_bytes(kSize, 2);
  std::mt19937 random(3);
  // From a byte to some records.
  auto piece = [&random](std::size_t left) {
    return std::min<std::size_t>(left, 1 + random() % (1U << random() % 18));
  };
  std::string to_server, to_client;
  for (std::size_t sent = 0, answered = 0; sent < kSize || answered < kSize;) {
    std::size_t size = piece(kSize - sent);
    client->send(std::string_view(there).substr(sent, size));
    sent += size;
    size = piece(kSize - answered);
    server->send(std::string_view(back).substr(answered, size));
    answered += size;

    to_server += client.take();
    size = piece(to_server.size());
    server.give(std::string_view(to_server).substr(0, size));
    to_server.erase(0, size);
    to_client += server.take();
    size = piece(to_client.size());
    client.give(std::string_view(to_client).substr(0, size));
    to_client.erase(0, size);
  }
  server.give(to_server);
  client.give(to_client);
  exchange(client, server);
  EXPECT_TRUE(server.plain == there);
  EXPECT_TRUE(client.plain == back);
}

TEST_F(TlsStreamTest, MegabytesGoAtOnce) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  const std::string there = random_bytes(3'000'000, 1);
  client->send(there);
  join(client, server);
  EXPECT_TRUE(server.plain == there);
  server->send(there);
  client.give(server.take());
  EXPECT_TRUE(client.plain == there);
}

// ---- the end ----

TEST_F(TlsStreamTest, EndIsSeenByTheOtherSideBehindTheLastByte) {
  Process ours = process();
  for (bool by_server : {true, false}) {
    OurServer server = this->server(ours);
    OurClient client = this->client(ours);
    join(client, server);
    auto close = [](auto& one, auto& other) {
      one->send("last");
      one->close();
      one->close();  // as often as one likes
      exchange(one, other);
      EXPECT_EQ(other.plain, "last");
      EXPECT_EQ(other->state(), State::kClosed);
      EXPECT_EQ(one->state(), State::kOpen) << "the other may still send";
      other->send("the answer");
      exchange(one, other);
      EXPECT_EQ(one.plain, "the answer");
      other->close();
      exchange(one, other);
      EXPECT_EQ(one->state(), State::kClosed);
    };
    by_server ? close(server, client) : close(client, server);
  }
}

TEST_F(TlsStreamTest, EndBeforeTheHandshakeIsNone) {
  Process ours = process();
  OurServer server = this->server(ours);
  OurClient client = this->client(ours);
  client->close();
  server->close();
  EXPECT_TRUE(join(client, server));
  EXPECT_EQ(server->state(), State::kOpen);
}

// ---- what TLS 1.2 can do besides ----

TEST_F(TlsStreamTest, ClientMayRenegotiate) {
  Process ours = process();
  RawEnd client = RawEnd::client({.name = kName, .version = TLS1_2_VERSION});
  OurServer server = server_for(ours, client);
  join(client, server);
  ASSERT_TRUE(client.is_open());
  ASSERT_EQ(SSL_renegotiate(client.ssl()), 1);
  server.give(client.take());
  server->send("waits for the end of it");
  exchange(client, server);
  EXPECT_TRUE(client.is_open());
  EXPECT_EQ(client.error(), 0);
  EXPECT_EQ(client.plain, "waits for the end of it");
  EXPECT_FALSE(server->wants_certificate());
}

TEST_F(TlsStreamTest, ServerMayRenegotiate) {
  // As it may with the program: some ask only then for its certificate.
  Process ours = process();
  RawEnd server =
      RawEnd::server({.name = kName, .signer = ours.authority.get(), .version = TLS1_2_VERSION});
  OurClient client = this->client(ours);
  exchange(client, server);
  ASSERT_TRUE(server.is_open());
  const std::vector<std::string> chain = client->chain();
  ASSERT_EQ(SSL_renegotiate(server.ssl()), 1);
  exchange(client, server);
  EXPECT_TRUE(server.is_open() && !server.failed());
  client->send("question");
  server.send("answer");
  exchange(client, server);
  EXPECT_EQ(server.plain, "question");
  EXPECT_EQ(client.plain, "answer");
  EXPECT_EQ(client->state(), State::kOpen) << client->problem();
  EXPECT_EQ(client->chain(), chain);
}

// ---- resumption ----

class TlsResumptionTest : public TlsStreamTest, public ::testing::WithParamInterface<int> {
 protected:
  RawEnd program(const Process& process, const TlsSession& session = nullptr) const {
    return RawEnd::client({.name = kName,
                           .trusts = process.authority.get(),
                           .version = GetParam(),
                           .session = session.get()});
  }
  /// What a program keeps of its first connection.
  TlsSession session_of(const Process& process) const {
    RawEnd client = program(process);
    OurServer server = server_for(process, client, /*waits=*/false);
    EXPECT_TRUE(join(client, server));
    EXPECT_EQ(SSL_session_reused(client.ssl()), 0);
    server->send("hello");  // in TLS 1.3 the tickets come with it
    exchange(client, server);
    EXPECT_EQ(client.plain, "hello");
    client.close();
    return TlsSession(SSL_get1_session(client.ssl()));
  }
  /// Both ways, with one of them in the handshake's last flight.
  static void expect_talk(RawEnd& client, OurServer& server) {
    client.send("question");
    exchange(client, server);
    EXPECT_EQ(server.plain, "question");
    server->send("answer");
    exchange(client, server);
    EXPECT_EQ(client.plain, "answer");
  }
};

TEST_P(TlsResumptionTest, SecondConnectionResumesTheFirst) {
  Process ours = process();
  TlsSession session = session_of(ours);
  RawEnd client = program(ours, session);
  OurServer server = server_for(ours, client, /*waits=*/false);
  EXPECT_FALSE(join(client, server)) << "no certificate is needed";
  EXPECT_EQ(SSL_session_reused(client.ssl()), 1);
  EXPECT_EQ(server->state(), State::kOpen);
  expect_talk(client, server);
}

TEST_P(TlsResumptionTest, AnotherProcessOfTheSessionResumesToo) {
  Process ours = process(), other = process();
  TlsSession session = session_of(ours);
  RawEnd client = program(ours, session);
  OurServer server = server_for(other, client, /*waits=*/false);
  EXPECT_FALSE(join(client, server));
  EXPECT_EQ(SSL_session_reused(client.ssl()), 1);
  expect_talk(client, server);
}

TEST_P(TlsResumptionTest, AnotherSessionDoesNotResume) {
  Process ours = process(), other = process("another");
  TlsSession session = session_of(ours);
  RawEnd client = program(other, session);
  OurServer server = server_for(other, client, /*waits=*/false);
  EXPECT_TRUE(join(client, server));
  EXPECT_EQ(SSL_session_reused(client.ssl()), 0);
  EXPECT_EQ(server->state(), State::kOpen);
  expect_talk(client, server);
}

TEST_P(TlsResumptionTest, RecordingDoesNotResume) {
  Process ours = process();
  TlsSession session = session_of(ours);
  RawEnd client = program(ours, session);
  OurServer server = server_for(ours, client, /*waits=*/true);
  EXPECT_TRUE(join(client, server)) << "it looks at the server's certificate each time";
  EXPECT_EQ(SSL_session_reused(client.ssl()), 0);
  expect_talk(client, server);
}

INSTANTIATE_TEST_SUITE_P(TlsStream, TlsResumptionTest,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const ::testing::TestParamInfo<int>& info) {
                           return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

}  // namespace
}  // namespace cassette
