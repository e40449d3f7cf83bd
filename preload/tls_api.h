// What the engine and the TLS object know of each other. TLS is an object of its own
// (libcassette-tls.so), loaded with the first TLS connection: OpenSSL is static and hidden in it, and
// its names collide with nobody's.
//
// Both are built together; `version` catches a mixed installation. No exception crosses the border.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "preload/heap/heap.h"

namespace cassette {

inline constexpr int kTlsVersion = 6;

struct ClientHello;  // parser/client_hello.h

/// Host names and addresses that one server goes by, the likeliest first; never empty.
using ServerNames = std::vector<std::string>;

/// Who may sign the certificate of a real server.
struct Anchors {
  std::vector<std::string> files;         ///< PEM; a file that is not there is passed over
  std::vector<std::string> certificates;  ///< DER
  auto operator<=>(const Anchors&) const = default;
};

/// What is to be said of a server's certificates by some anchors.
struct ChainVerdict {
  bool is_trusted = false;   ///< the chain leads to one of them, and only its dates may be wrong
  bool is_in_time = false;   ///< the server's own certificate is valid now
  bool is_anchored = false;  ///< it leads there, and what else is wrong a mirrored chain shows
  /// That chain, DER: from the server's own to the last that a mirrored one has to have; without whom it leads to.
  std::vector<std::string> path;
  ServerNames names;    ///< those of the names asked for that it is for
  std::string problem;  ///< why one of these is not so
  bool is_ordinary() const { return is_trusted && is_in_time && !names.empty(); }
};

/// A key exchange of finite fields (DHE), of which the program may think that its parameters are too small. Both are empty
/// where another one was chosen.
struct WeakExchange {
  std::string cipher;      ///< OpenSSL's name
  std::string parameters;  ///< DER
};

/// What the program gets to see of the server that it wants.
struct ServerFace {
  ServerNames names;  ///< of an ordinary certificate, where `chain` is empty
  std::vector<std::string>
      chain;                    ///< DER, the server's own first: certificates like these (mirror.h)
  bool is_trusted = true;       ///< the last one's issuer is
  bool has_own_number = false;  ///< not the real one's serial number
  std::int64_t recorded_at =
      0;            ///< seconds since 1970: what is valid then is valid now; 0: it is met now
  int version = 0;  ///< of TLS, as the real server chose it; 0: the best that there is
  bool takes_protocol = true;  ///< one of the program's ALPN names
  /// The program is asked for a certificate of its own, by one of these authorities (names, DER).
  bool asks_for_certificate = false;
  std::vector<std::string> authorities;
  bool has_status = false;  ///< a program that asks for an OCSP response gets one stapled
  std::string status;       ///< the real server's, DER; empty: the certificate is good
  WeakExchange exchange;
};

/// PEM files with what is shown to a server that asks for a certificate; empty: nothing is.
struct ClientIdentity {
  std::string certificate;
  std::string key;
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
  /// Says to the peer that no more comes. It may still send (RFC 8446 section 6.1).
  virtual void close() = 0;
  /// What the peer sent behind its saying so is no TLS any more; appended to `bytes`, once.
  virtual void take_rest(std::string& bytes) = 0;
  /// Ends the connection with a fatal alert, whatever the state.
  virtual void fail(std::string_view problem) = 0;
  /// Bytes for the peer since the last call are appended.
  virtual void take_output(std::string& bytes) = 0;

  virtual State state() const = 0;
  virtual const std::string& problem() const = 0;
};

/// The end that stands for the real server, and talks to the program.
class TlsServerStream : public TlsStream {
 public:
  /// Why a handshake failed, where that says what can be done about it.
  enum class Refusal : std::uint8_t { kOther, kCertificate, kNoHttp1 };

  /// The ClientHello is there, and the handshake waits for present().
  virtual bool wants_certificate() const = 0;
  /// Goes on with that. Returns the server's own certificate, DER.
  virtual std::string present(const ServerFace& face) = 0;
  /// Ends the connection with this fatal alert (RFC 8446 section 6), which is protected as far as the handshake has got.
  virtual void alert(int number) = 0;
  /// The program has shown a certificate of its own. Valid once open.
  virtual bool got_certificate() const = 0;
  /// The certificate (DER) that what is stapled is signed with, where it is stapled.
  virtual const std::string& status_signer() const = 0;
  /// Valid once failed.
  virtual Refusal refusal() const = 0;
};

/// The end that talks to the real server. It asks for what the program asks for, and completes the handshake with any
/// server: whether that may be trusted is decided elsewhere.
class TlsClientStream : public TlsStream {
 public:
  // Valid once open, or once it has failed behind the server's certificate.
  /// The server's certificate and what it sent with it, DER; empty: it has sent none.
  virtual const std::vector<std::string>& chain() = 0;
  /// Of TLS, as on the wire: 0x0303 is 1.2.
  virtual int version() const = 0;
  /// It chose one of the program's ALPN names.
  virtual bool takes_protocol() const = 0;
  /// The fatal alert with which it ended the connection (RFC 8446 section 6); 0: none.
  virtual int alert() const = 0;
  /// Its stapled OCSP response, DER; empty: none.
  virtual std::string status() const = 0;
  virtual WeakExchange exchange() const = 0;

  /// The server asked for a certificate, by one of these authorities (names, DER). Valid at any time.
  virtual bool wants_certificate() const = 0;
  virtual const std::vector<std::string>& authorities() const = 0;
};

/// What the TLS object is told of the process that it is in; valid for the life of that.
struct TlsHost {
  const HeapApi* heap;
  const ProgramHeap* program_heap;
  /// Seconds since 1970 by the program's clock: what is valid today is so for the program (libfaketime).
  std::time_t (*program_time)();
};

struct TlsApi {
  int version;
  /// The session's authority: made by the first process of the session, in `file`. `inherited`: HostApi::kept_file(). False, and why.
  bool (*begin)(const std::string& file, int (*inherited)(const char* name), std::string* problem);
  /// The authority's certificate, PEM and DER.
  const std::string& (*authority_pem)();
  const std::string& (*authority_der)();
  /// `hello`: what the program says first, and says again in what receive() gets. `waits`: for present(), before anything
  /// is chosen. `resumes`: a program that has been here in this session may go on without a look at the certificate.
  std::unique_ptr<TlsServerStream> (*accept)(const ClientHello& hello, bool waits, bool resumes);
  /// As the program would with that `hello`.
  std::unique_ptr<TlsClientStream> (*connect)(const ClientHello& hello,
                                              const ClientIdentity& identity);
  /// `at`: seconds since 1970; 0: now. Thread-safe.
  ChainVerdict (*judge)(const std::vector<std::string>& chain, const ServerNames& names,
                        const Anchors& anchors, std::int64_t at);
  /// A store of Java's (JKS or PKCS #12) with the authority's certificate added, as a JKS; empty when
  /// `bytes` are no store that can be read. What it had for trusted goes to `certificates`, DER.
  std::string (*merge_java_store)(std::string_view bytes, const std::string& password,
                                  std::vector<std::string>* certificates);
  /// The certificates of a PEM file's bytes, DER.
  std::vector<std::string> (*read_pem)(std::string_view bytes);
};

}  // namespace cassette

/// The one exported symbol. nullptr when the versions differ. `host` nullptr: libc's malloc() and clock.
extern "C" const cassette::TlsApi* cassette_tls_start(int version, const cassette::TlsHost* host);
