// What the tests of TLS streams share: a process of a session with both ends of it, and the handshake between two.
#pragma once

#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "tests/unit/preload/tls_ends.h"

namespace cassette {

using State = TlsStream::State;

inline constexpr char kName[] = "api.example.com";
inline constexpr char kAddress[] = "192.0.2.7";
inline constexpr char kOnlyHttp2[] = "\x02h2";
inline constexpr char kHttp2AndHttp1[] = "\x02h2\x08http/1.1";
inline constexpr char kHttp1[] = "http/1.1";

/// What a process of a session has.
struct Process {
  explicit Process(std::unique_ptr<Authority> of_session)
      : authority(std::move(of_session)),
        context(make_server_context(*authority)),
        client_context(make_client_context()) {}
  std::unique_ptr<Authority> authority;
  Owned<SSL_CTX> context;
  Owned<SSL_CTX> client_context;
};

inline constexpr int kVersions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

inline ClientHello hello_of_version(int version, int least = 0) {
  RawEnd client = RawEnd::client({.name = kName, .version = version, .least_version = least});
  return read_hello(client.take());
}

/// Of a program that does what OpenSSL does. `name`: whom it wants; empty, or an address: it says nothing of that.
inline ClientHello usual_hello(const std::string& name) {
  const bool says_name = name != kAddress;
  RawEnd client = RawEnd::client(
      {.name = says_name ? name : "", .version = TLS1_3_VERSION, .least_version = TLS1_2_VERSION});
  return read_hello(client.take());
}

class TlsStreamTest : public TlsTest {
 protected:
  Process process(const std::string& session = "authority") const {
    return Process(open_authority(session));
  }

  /// Of a connection with the program that says `hello`. `waits`: as while recording.
  static OurServer server(const Process& process, const ClientHello& hello, bool waits = true) {
    return OurServer(make_server_stream(process.context.get(), *process.authority, hello, waits,
                                        /*resumes=*/!waits));
  }
  static OurServer server(const Process& process, bool waits = true) {
    return server(process, usual_hello(kName), waits);
  }
  /// Of the connection with that program, whose first flight is given to it.
  static OurServer server_for(const Process& process, RawEnd& program, bool waits = true) {
    const std::string flight = program.take();
    OurServer server = TlsStreamTest::server(process, read_hello(flight), waits);
    server.give(flight);
    return server;
  }
  static OurClient client(const Process& process, const ClientHello& hello,
                          const ClientIdentity& identity = {}) {
    return OurClient(make_client_stream(process.client_context.get(), hello, identity));
  }
  static OurClient client(const Process& process) { return client(process, usual_hello(kName)); }

  static ServerFace face(const std::string& name = kName) {
    ServerFace face;
    face.names = {name};
    return face;
  }

  /// The whole handshake, with the certificate in between. False: it was not asked for.
  template <typename Client>
  static bool join(Client& client, OurServer& server, const ServerFace& face) {
    exchange(client, server);
    const bool waits = server->wants_certificate();
    if (waits) server->present(face);
    exchange(client, server);
    return waits;
  }
  template <typename Client>
  static bool join(Client& client, OurServer& server) {
    return join(client, server, face());
  }

  static std::string random_bytes(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  }
};

}  // namespace cassette
