// One interaction: a request and its response (or the network error it got). Plain data, in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/message.h"

namespace cassette {

/// A piece of a response body as it arrived: where it begins, and when.
struct Piece {
  std::uint64_t offset = 0;        ///< bytes from the beginning of the body
  std::uint32_t milliseconds = 0;  ///< since the request was sent
  /// Behind how many bytes of the request's body it came.
  std::uint64_t request_bytes = kWholeRequest;
  bool operator==(const Piece&) const = default;

  static constexpr std::uint64_t kWholeRequest = ~std::uint64_t{0};
};

/// An informational answer (1xx) that came before the response.
struct InformationalResponse {
  int status = 0;
  std::string reason;
  Headers headers;
  std::uint32_t milliseconds = 0;  ///< since the request was sent
};

/// How a response ended that never became whole.
enum class ResponseEnd : std::uint8_t {
  kWhole,  ///< it did
  kEof,    ///< the server closed the connection within it
  kReset,  ///< the server reset the connection within it
  kOpen,   ///< the program left while it was coming: nobody knows its end
};

/// As a cassette names them; kWhole has no name.
inline constexpr std::string_view kResponseEndNames[] = {"", "EOF", "ECONNRESET", "OPEN"};

inline std::string_view name_of(ResponseEnd end) {
  return kResponseEndNames[static_cast<std::size_t>(end)];
}
/// False when no end is called that.
inline bool end_from_name(std::string_view name, ResponseEnd& end) {
  for (std::size_t i = 1; i < std::size(kResponseEndNames); ++i) {
    if (kResponseEndNames[i] != name) continue;
    end = static_cast<ResponseEnd>(i);
    return true;
  }
  return false;
}

/// What redaction took out of a request, so that two requests which differ in it are told apart. Each digest is a keyed
/// hash: it says whether two values are equal, and nothing else of them.
struct RedactedDigests {
  struct Digest {
    std::string part;  ///< "query", "body", "header:authorization"
    std::string text;  ///< 4 hexadecimal digits
    bool operator==(const Digest&) const = default;
  };
  std::string key;  ///< 16 hexadecimal digits; the cassette's own
  std::vector<Digest> digests;
  /// Nothing was taken out of the request, or by somebody who kept no digests.
  bool empty() const { return key.empty(); }
  bool operator==(const RedactedDigests&) const = default;
};

/// The certificate of a TLS server that not every program would have taken.
struct ServerCertificate {
  std::vector<std::string> chain;  ///< DER, the server's own first; empty: there is none
  /// The chain leads to an authority that each program trusted which met the server.
  bool trusted = false;
  bool operator==(const ServerCertificate&) const = default;
};

/// Whether a recorded request is none, but the entry of a server's certificate (store/match/failed_place.h).
inline bool is_certificate_entry(std::string_view method, std::string_view uri) {
  return method == "CONNECT" && uri.starts_with("tls://");
}

/// A server's certificate as it was recorded.
struct RecordedCertificate {
  ServerCertificate certificate;
  std::int64_t recorded_at = 0;  ///< microseconds since 1970 UTC; 0: nobody knows
};

/// In place of the name of an errno: the server closed the connection without a byte of an answer.
inline constexpr std::string_view kEofError = "EOF";
/// The same: the program gave up waiting, without a byte of an answer.
inline constexpr std::string_view kSilenceError = "SILENCE";

struct Interaction {
  RequestMessage request;         ///< `target` is unused here: `uri` is what a cassette keeps
  bool request_has_body = false;  ///< false: the cassette says null
  std::string uri;                ///< absolute, the default port left out

  ResponseMessage response;   ///< meaningless when `error` is set
  std::vector<Piece> chunks;  ///< empty: the body came in one piece (or nobody noted how it came)
  std::string error;  ///< name of the errno or EAI code in place of a response, e.g. "ECONNREFUSED"
  std::vector<InformationalResponse> informational;
  /// From the request to the first byte of the final response.
  std::uint32_t first_byte_milliseconds = 0;
  ResponseEnd end = ResponseEnd::kWhole;
  /// The server closed the connection behind the whole response, which did not announce it.
  bool closes = false;

  RedactedDigests redacted;

  /// In place of a response and of an error: the entry `CONNECT tls://host:port/` (store/match/failed_place.h). With an
  /// empty chain, in a journal: the server is an ordinary one now.
  std::optional<ServerCertificate> certificate;

  /// When the request began: microseconds since 1970 UTC; nothing in cassettes of other tools.
  std::optional<std::int64_t> recorded_at;

  /// How often it may be played before it is used up; 0: any number of times.
  std::uint32_t times = 1;
  /// Among interactions that answer the same request a higher one is played first; equal: in
  /// recorded order.
  std::int32_t priority = 0;

  /// In a directory cassette the name of the file it is kept in, relative to the directory.
  std::string file;
  /// Names it in `list`, `show` and `report-unused`: set by load_cassette().
  std::string id;
};

}  // namespace cassette
