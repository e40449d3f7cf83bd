// Takes the chunked transfer coding off a body (RFC 9112 section 7.1), up to and with the line of
// the last chunk; the trailers behind it are fields, and not its business. Internal to parser/.
//
// llhttp 8.1 could do this too, but it refuses what the RFC allows (a second extension behind one
// with a value, white space around the size) and takes any two bytes for the end of a chunk.
// Tolerated: a bare LF as line end, white space behind the size. Extensions are passed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cassette {

class ChunkDecoder {
 public:
  enum class Status { kMore, kData, kLastChunk, kError };
  struct Step {
    Status status;
    std::size_t consumed;   ///< bytes of the input that this step took
    std::string_view data;  ///< with kData: a view into the input
  };

  /// `limit`: the largest body.
  void reset(std::uint64_t limit);
  /// The next step into the body. kMore when the input is used up, kData may come many times.
  Step next(std::string_view bytes);
  /// After kError.
  const char* error() const { return error_; }

 private:
  enum class State { kSizeStart, kSize, kExtension, kLineEnd, kData, kDataEnd, kDataLineEnd };

  bool take(char c);
  bool refuse(const char* reason);

  State state_ = State::kSizeStart;
  std::uint64_t left_ = 0;   ///< of the limit
  std::uint64_t size_ = 0;   ///< of the current chunk, what is left of it
  bool size_ended_ = false;  ///< white space was seen behind it
  std::size_t line_size_ = 0;
  bool last_ = false;
  const char* error_ = "";
};

}  // namespace cassette
