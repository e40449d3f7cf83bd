// The state machine of the chunked transfer coding: a byte at a time through the lines, a piece at
// a time through the data.
#include "parser/chunk_decoder.h"

#include <algorithm>

namespace cassette {
namespace {

/// Of a chunk's size and extensions; they are not kept, but a peer must not go on with them
/// forever.
constexpr std::size_t kLongestLine = 16384;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void ChunkDecoder::reset(std::uint64_t limit) {
  *this = ChunkDecoder();
  left_ = limit;
}

ChunkDecoder::Step ChunkDecoder::next(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ == State::kData) {
      const std::string_view data =
          bytes.substr(at, static_cast<std::size_t>(std::min<std::uint64_t>(size_, bytes.size())));
      size_ -= data.size();
      if (size_ == 0) state_ = State::kDataEnd;
      return {Status::kData, at + data.size(), data};
    }
    if (!take(bytes[at])) return {Status::kError, at, {}};
    ++at;
    if (last_) return {Status::kLastChunk, at, {}};
  }
  return {Status::kMore, at, {}};
}

/// One byte outside of the data. False: it cannot stand there.
bool ChunkDecoder::take(char c) {
  switch (state_) {
    case State::kSizeStart:
      if (hex_digit(c) < 0) return refuse("an invalid chunk size");
      size_ = 0;
      size_ended_ = false;
      line_size_ = 0;
      state_ = State::kSize;
      [[fallthrough]];
    case State::kSize:
      if (const int digit = hex_digit(c); digit >= 0 && !size_ended_) {
        // Leading zeros are legal, so it is the value that is bounded and not the digits.
        if (size_ > (left_ >> 4) || (size_ << 4 | static_cast<unsigned>(digit)) > left_) {
          return refuse("more bytes than the limit allows");
        }
        size_ = size_ << 4 | static_cast<unsigned>(digit);
        break;
      }
      if (c == ' ' || c == '\t') {
        size_ended_ = true;
        break;
      }
      if (c != ';' && c != '\r' && c != '\n') return refuse("an invalid chunk size");
      state_ = State::kExtension;
      [[fallthrough]];
    case State::kExtension:
      if (c == '\r') state_ = State::kLineEnd;
      if (c != '\n') break;
      [[fallthrough]];
    case State::kLineEnd:
      if (c != '\n') return refuse("a CR without LF in the line of a chunk");
      left_ -= size_;
      last_ = size_ == 0;
      state_ = State::kData;
      break;
    case State::kDataEnd:
      if (c == '\r') {
        state_ = State::kDataLineEnd;
        break;
      }
      [[fallthrough]];
    case State::kDataLineEnd:
      if (c != '\n') return refuse("no line end behind a chunk, its size is wrong");
      state_ = State::kSizeStart;
      break;
    case State::kData:
      break;
  }
  if (++line_size_ > kLongestLine) return refuse("an endless chunk size or extension");
  return true;
}

bool ChunkDecoder::refuse(const char* reason) {
  error_ = reason;
  return false;
}

}  // namespace cassette
