// See content_coding.h: zlib, brotli and zstd, each fed whole and drained into one growing string.
#include "store/content_coding.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "parser/headers.h"
#include "store/formats/text.h"

namespace cassette {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

Error too_large(std::string_view coding, std::size_t limit) {
  return Error{"the " + std::string(coding) + " body decodes to more than " +
               std::to_string(limit) + " bytes"};
}

Error broken(std::string_view coding, std::string_view reason) {
  return Error{"the body is not valid " + std::string(coding) + ": " + std::string(reason)};
}

/// How zlib is told what to expect.
constexpr int kGzipWindow = 15 + 16;
constexpr int kZlibWindow = 15;
constexpr int kRawWindow = -15;

/// All of these append to `out` what they can decode, also when they end with an error.
Result<void> inflate_body(std::string_view coding, int window, std::string_view body,
                          std::size_t limit, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return broken(coding, "no memory");
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);

  std::vector<char> piece(kPiece);
  std::string_view rest = body;
  for (;;) {
    // zlib counts in 32 bits.
    std::size_t feed = std::min<std::size_t>(rest.size(), 1u << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
    stream.avail_in = static_cast<uInt>(feed);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    int result = inflate(&stream, Z_NO_FLUSH);
    std::size_t produced = piece.size() - stream.avail_out;
    rest.remove_prefix(feed - stream.avail_in);
    if (produced > limit - out.size()) return too_large(coding, limit);
    out.append(piece.data(), produced);
    if (result == Z_STREAM_END) {
      // A gzip file may have several members (RFC 1952 section 2.2); other trailing bytes are
      // ignored, as browsers do.
      bool member_follows = window == kGzipWindow && rest.starts_with("\x1F\x8B");
      if (!member_follows) return {};
      inflateReset(&stream);
      continue;
    }
    if (result == Z_OK && (produced > 0 || stream.avail_in < feed)) continue;
    if (result == Z_BUF_ERROR || result == Z_OK) return broken(coding, "it ends too early");
    return broken(coding, stream.msg != nullptr ? stream.msg : "bad data");
  }
}

/// "deflate" is the zlib format by RFC 9110, and raw deflate by many servers.
Result<void> decode_deflate(std::string_view body, std::size_t limit, std::string& out) {
  auto decoded = inflate_body("deflate", kZlibWindow, body, limit, out);
  if (decoded) return decoded;
  std::string raw;
  const auto decoded_raw = inflate_body("deflate", kRawWindow, body, limit, raw);
  if (!decoded_raw && !out.empty()) return decoded;
  out = std::move(raw);
  return decoded_raw ? decoded_raw : decoded;
}

Result<void> decode_brotli(std::string_view body, std::size_t limit, std::string& out) {
  std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (!state) return broken("br", "no memory");
  std::vector<unsigned char> piece(kPiece);
  std::size_t available_in = body.size();
  const auto* next_in = reinterpret_cast<const unsigned char*>(body.data());
  for (;;) {
    std::size_t available_out = piece.size();
    unsigned char* next_out = piece.data();
    BrotliDecoderResult result = BrotliDecoderDecompressStream(state.get(), &available_in, &next_in,
                                                               &available_out, &next_out, nullptr);
    std::size_t produced = piece.size() - available_out;
    if (produced > limit - out.size()) return too_large("br", limit);
    out.append(reinterpret_cast<char*>(piece.data()), produced);
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        return {};
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        continue;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return broken("br", "it ends too early");
      default:
        return broken("br", BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state.get())));
    }
  }
}

Result<void> decode_zstd(std::string_view body, std::size_t limit, std::string& out) {
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                       ZSTD_freeDStream);
  if (!stream) return broken("zstd", "no memory");
  // RFC 8878 section 3.1.1.1.2 and RFC 9659: no more than 8 MB of window for HTTP.
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 23);
  std::vector<char> piece(kPiece);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  for (;;) {
    ZSTD_outBuffer output{piece.data(), piece.size(), 0};
    std::size_t before = in.pos;
    std::size_t left = ZSTD_decompressStream(stream.get(), &output, &in);
    if (ZSTD_isError(left)) return broken("zstd", ZSTD_getErrorName(left));
    if (output.pos > limit - out.size()) return too_large("zstd", limit);
    out.append(piece.data(), output.pos);
    if (left == 0 && in.pos == in.size) return {};  // the end of a frame, and of all frames
    if (in.pos == before && output.pos == 0) return broken("zstd", "it ends too early");
  }
}

/// For codings without a magic number: does it decode, at least for a piece? What is cut short (a
/// client that gave up) still counts, but for text, which often looks like the beginning of anything.
bool begins_as_deflate(int window, std::string_view body) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return false;
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::vector<char> piece(kPiece);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(body.size(), 1u << 30));
  stream.next_out = reinterpret_cast<Bytef*>(piece.data());
  stream.avail_out = static_cast<uInt>(piece.size());
  int result = inflate(&stream, Z_NO_FLUSH);
  if (result == Z_STREAM_END) return true;
  if (result != Z_OK && result != Z_BUF_ERROR) return false;
  return stream.avail_out == 0 || !is_utf8(body);
}

bool begins_as_brotli(std::string_view body) {
  std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (!state) return false;
  std::vector<unsigned char> piece(kPiece);
  std::size_t available_in = body.size(), available_out = piece.size();
  const auto* next_in = reinterpret_cast<const unsigned char*>(body.data());
  unsigned char* next_out = piece.data();
  BrotliDecoderResult result = BrotliDecoderDecompressStream(state.get(), &available_in, &next_in,
                                                             &available_out, &next_out, nullptr);
  if (result == BROTLI_DECODER_RESULT_ERROR) return false;
  return result != BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT || !is_utf8(body);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The codings in the order in which they were applied; "identity" is none.
std::vector<std::string_view> codings_of(std::string_view content_encoding) {
  std::vector<std::string_view> codings;
  while (!content_encoding.empty()) {
    std::size_t comma = std::min(content_encoding.find(','), content_encoding.size());
    std::string_view coding = trim(content_encoding.substr(0, comma));
    if (!coding.empty() && !equals_ignoring_case(coding, "identity")) codings.push_back(coding);
    content_encoding.remove_prefix(std::min(comma + 1, content_encoding.size()));
  }
  return codings;
}

bool is_gzip(std::string_view coding) {
  return equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip");
}

Result<void> decode_one(std::string_view coding, std::string_view body, std::size_t limit,
                        std::string& out) {
  if (is_gzip(coding)) return inflate_body("gzip", kGzipWindow, body, limit, out);
  if (equals_ignoring_case(coding, "deflate")) return decode_deflate(body, limit, out);
  if (equals_ignoring_case(coding, "br")) return decode_brotli(body, limit, out);
  if (equals_ignoring_case(coding, "zstd")) return decode_zstd(body, limit, out);
  return Error{"the content coding \"" + std::string(coding.substr(0, 40)) +
               "\" is not known (known are gzip, deflate, br, zstd)"};
}

}  // namespace

Result<std::string> decode_content(std::string_view content_encoding, std::string_view body,
                                   std::size_t limit) {
  std::vector<std::string_view> codings = codings_of(content_encoding);
  // More than any server applies; each costs a pass over up to `limit` bytes.
  if (codings.size() > 8) return Error{"more than 8 content codings"};
  std::string decoded(body);
  // A HEAD or 304 response names a coding and has no body.
  if (decoded.empty()) return decoded;
  for (std::size_t i = codings.size(); i > 0; --i) {
    std::string inner;
    auto result = decode_one(codings[i - 1], decoded, limit, inner);
    if (!result) return result.error();
    decoded = std::move(inner);
  }
  return decoded;
}

bool is_known_coding(std::string_view coding) {
  return is_gzip(coding) || equals_ignoring_case(coding, "deflate") ||
         equals_ignoring_case(coding, "br") || equals_ignoring_case(coding, "zstd");
}

std::string decode_what_is_there(std::string_view coding, std::string_view body,
                                 std::size_t limit) {
  std::string decoded;
  // How it ends does not matter here, unless there is no end.
  static_cast<void>(decode_one(coding, body, limit, decoded));
  if (decoded.size() + kPiece > limit) decoded.clear();
  return decoded;
}

bool is_encoded(std::string_view content_encoding, std::string_view body) {
  std::vector<std::string_view> codings = codings_of(content_encoding);
  if (codings.empty() || body.empty()) return false;
  std::string_view outermost = codings.back();
  auto byte = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(body[i]));
  };
  if (is_gzip(outermost)) return body.starts_with("\x1F\x8B");
  if (equals_ignoring_case(outermost, "zstd")) {
    // A frame, or a skippable one.
    return body.starts_with("\x28\xB5\x2F\xFD") ||
           (body.size() >= 4 && byte(0) >> 4 == 5 && body.substr(1).starts_with("\x2A\x4D\x18"));
  }
  if (equals_ignoring_case(outermost, "deflate")) {
    return begins_as_deflate(kZlibWindow, body) || begins_as_deflate(kRawWindow, body);
  }
  if (equals_ignoring_case(outermost, "br")) return begins_as_brotli(body);
  return true;  // a coding that nobody here can look into: the header is all there is to go by
}

}  // namespace cassette
