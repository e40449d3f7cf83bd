// What the engine and the TLS object know of each other. TLS is an object of its own
// (libcassette-tls.so), loaded with the first TLS connection: OpenSSL is static and hidden in it, and
// its names collide with nobody's.
//
// Both are built together; `version` catches a mixed installation. No exception crosses the border.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "preload/heap/heap.h"

namespace cassette {

inline constexpr int kTlsVersion = 3;

/// Who may sign the certificate of a real server.
struct Anchors {
  std::vector<std::string> files;         ///< PEM; a file that is not there is passed over
  std::vector<std::string> certificates;  ///< DER
  auto operator<=>(const Anchors&) const = default;
};

/// One end of a TLS connection, as bytes. Not thread-safe.
class TlsStream {
 public:
  enum class State : std::uint8_t {
    kHandshaking,
    kOpen,
    kClosed,  ///< the peer has said that it sends no more
    kFailed,  ///< problem() says why; what is in output() (an alert) is still to be sent
  };
  virtual ~TlsStream() = default;

  /// Bytes from the peer: what they hold in plain text is appended to `plain`.
  virtual State receive(std::string_view bytes, std::string& plain) = 0;
  /// Plain text for the peer. Before the handshake is over it waits.
  virtual void send(std::string_view plain) = 0;
  /// Says to the peer that no more comes.
  virtual void close() = 0;
  /// Ends the connection with a fatal alert, whatever the state.
  virtual void fail(std::string_view problem) = 0;
  /// Bytes for the peer since the last call are appended.
  virtual void take_output(std::string& bytes) = 0;

  virtual State state() const = 0;
  virtual const std::string& problem() const = 0;
};

/// Host names and addresses that one server goes by, the likeliest first; never empty.
using ServerNames = std::vector<std::string>;

/// The end that stands for the real server, and talks to the program.
class TlsServerStream : public TlsStream {
 public:
  /// Why a handshake failed, where that says what can be done about it.
  enum class Refusal : std::uint8_t { kOther, kCertificate, kNoHttp1 };

  /// The ClientHello is there, and the handshake waits for present().
  virtual bool wants_certificate() const = 0;
  /// Whom the program wants (SNI), or what was given to accept().
  virtual const ServerNames& server_names() const = 0;
  /// Goes on with a certificate for those names. `tag` tells certificates of one name apart (that of
  /// which real server is it?). Returns the certificate, DER.
  virtual std::string present(const ServerNames& names, const std::string& tag) = 0;
  /// Valid once failed.
  virtual Refusal refusal() const = 0;
};

/// The end that talks to the real server.
class TlsClientStream : public TlsStream {
 public:
  /// Valid once open. Empty: by the given anchors the server may be trusted.
  virtual const std::string& distrust() const = 0;
  /// Those of the names asked for that its certificate is for, whoever signed it.
  virtual const ServerNames& matching_names() const = 0;
  /// The server's certificate and what it sent with it, DER.
  virtual const std::vector<std::string>& chain() const = 0;
};

struct TlsApi {
  int version;
  /// The session's authority: made by the first process of the session, in `file`. False, and why.
  bool (*begin)(const std::string& file, std::string* problem);
  /// The authority's certificate, PEM and DER.
  const std::string& (*authority_pem)();
  const std::string& (*authority_der)();
  /// `names` stand in the certificate when the program does not say whom it wants. `resumes`: a program
  /// that has been here in this session may go on without a look at the certificate.
  std::unique_ptr<TlsServerStream> (*accept)(const ServerNames& names, bool resumes);
  std::unique_ptr<TlsClientStream> (*connect)(const ServerNames& names, const Anchors& anchors);
  /// A store of Java's (JKS or PKCS #12) with the authority's certificate added, as a JKS; empty when
  /// `bytes` are no store that can be read. What it had for trusted goes to `certificates`, DER.
  std::string (*merge_java_store)(std::string_view bytes, const std::string& password,
                                  std::vector<std::string>* certificates);
  /// The certificates of a PEM file's bytes, DER.
  std::vector<std::string> (*read_pem)(std::string_view bytes);
};

}  // namespace cassette

/// The one exported symbol. nullptr when the versions differ.
extern "C" const cassette::TlsApi* cassette_tls_start(int version, const cassette::HeapApi* heap);
