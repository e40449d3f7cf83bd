// One interaction: a request and its response (or the network error it got). Plain data, in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parser/message.h"

namespace cassette {

/// A piece of a response body as it arrived: where it begins, and when.
struct Piece {
  std::uint64_t offset = 0;        ///< bytes from the beginning of the body
  std::uint32_t milliseconds = 0;  ///< since the request was sent
  bool operator==(const Piece&) const = default;
};

struct Interaction {
  RequestMessage request;         ///< `target` is unused here: `uri` is what a cassette keeps
  bool request_has_body = false;  ///< false: the cassette says null
  std::string uri;                ///< absolute, the default port left out

  ResponseMessage response;   ///< meaningless when `error` is set
  std::vector<Piece> chunks;  ///< empty: the body came in one piece (or nobody noted how it came)
  std::string error;  ///< name of the errno or EAI code in place of a response, e.g. "ECONNREFUSED"

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
