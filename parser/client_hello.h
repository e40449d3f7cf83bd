// What a TLS client says first (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), read from the bytes that it sends: whom
// it wants and what it can, so that one knows what is within before TLS is taken apart. Must not answer, and need not
// find every fault: the TLS library behind it does.
//
// A hello of SSL 2.0 that offers a later version (RFC 5246 appendix E.2) is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// Lists are in the order in which the client has them, without the values that say nothing (GREASE, RFC 8701).
struct ClientHello {
  std::string server_name;             ///< SNI (RFC 6066 section 3), as sent; empty: none
  std::vector<std::string> protocols;  ///< ALPN (RFC 7301); empty: none is offered
  /// Of TLS, 0x0303 is 1.2. Without the extension `supported_versions` only the highest is said.
  std::vector<std::uint16_t> versions;
  std::vector<std::uint16_t> cipher_suites;  ///< signalling values among them
  std::vector<std::uint16_t> groups;         ///< of key exchange (RFC 8446 section 4.2.7)
  std::vector<std::uint16_t> signature_algorithms;
  bool password = false;             ///< proves itself by one, SRP (RFC 5054 section 2.8.1)
  bool status_request = false;       ///< OCSP stapling (RFC 6066 section 8)
  bool post_handshake_auth = false;  ///< RFC 8446 section 4.2.6

  /// Is that among `protocols`?
  bool offers(std::string_view protocol) const;
};

/// Takes bytes as they come. Not thread-safe.
class ClientHelloReader {
 public:
  /// Of a record (RFC 8446 section 5.1), and of the hello in however many of them.
  static constexpr std::size_t kLargestRecord = 16 * 1024;
  static constexpr std::size_t kLargestHello = 64 * 1024;

  enum class State : std::uint8_t {
    kIncomplete,
    kComplete,
    kNoHello,  ///< malformed, too large, or something else
  };

  /// The client's next bytes. What comes behind the hello is passed over. Keeps kLargestHello bytes at most.
  State feed(std::string_view bytes);
  State state() const { return state_; }
  /// Valid once complete.
  const ClientHello& hello() const { return hello_; }

 private:
  std::string_view take_record_header(std::string_view bytes);
  std::string_view take_fragment(std::string_view bytes);

  State state_ = State::kIncomplete;
  std::string header_;           ///< of the record that begins
  std::size_t record_left_ = 0;  ///< of the record that has begun
  std::string message_;          ///< of the handshake, with its header
  ClientHello hello_;
};

}  // namespace cassette
