// Messages to wire bytes. It repairs the framing so that a reader always finds the end of the
// message, and keeps everything else as it is. It must never write a line that a field's text
// could have smuggled in.
#include "parser/writer.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "parser/framing.h"

namespace cassette {
namespace {

/// CR, LF and NUL inside a line become spaces (RFC 9110 section 5.5): a cassette that was edited by
/// hand can hold anything.
void append_text(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  out.append(text);
  for (std::size_t i = start; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
}

void append_version(std::string& out, HttpVersion version) {
  out += "HTTP/" + std::to_string(version.major) + "." + std::to_string(version.minor);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_text(out, name);
  out += ": ";
  append_text(out, value);
  out += "\r\n";
}

/// What becomes of the fields that frame a body; all others are written as they are.
struct FieldPlan {
  enum class Length { kKeep, kDrop, kReplace } length = Length::kKeep;
  std::uint64_t body_size = 0;      ///< for kReplace
  bool drop_chunked = false;        ///< leave the coding `chunked` out of Transfer-Encoding
  bool add_missing_length = false;  ///< with kReplace: where there is none
};

/// The value without its coding `chunked`, which is the last (RFC 9112 section 7.1).
std::string_view without_chunked(std::string_view value) {
  const std::size_t comma = value.rfind(',');
  std::string_view last = comma == std::string_view::npos ? value : value.substr(comma + 1);
  const std::size_t first = std::min(last.find_first_not_of(" \t"), last.size());
  last = last.substr(first, last.find_last_not_of(" \t") + 1 - first);
  if (!equals_ignoring_case(last, "chunked")) return value;
  return comma == std::string_view::npos ? std::string_view() : value.substr(0, comma);
}

void append_fields(std::string& out, const Headers& headers, const FieldPlan& plan) {
  bool length_written = false;
  for (const Headers::Field field : headers) {
    if (equals_ignoring_case(field.name, "content-length")) {
      if (plan.length == FieldPlan::Length::kKeep) {
        append_field(out, field.name, field.value);
      } else if (plan.length == FieldPlan::Length::kReplace && !length_written) {
        append_field(out, field.name, std::to_string(plan.body_size));
        length_written = true;
      }
    } else if (plan.drop_chunked && equals_ignoring_case(field.name, "transfer-encoding")) {
      const std::string_view rest = without_chunked(field.value);
      if (!rest.empty()) append_field(out, field.name, rest);
    } else {
      append_field(out, field.name, field.value);
    }
  }
  if (plan.add_missing_length && !length_written) {
    append_field(out, "Content-Length", std::to_string(plan.body_size));
  }
}

void append_chunk(std::string& out, std::string_view piece) {
  if (piece.empty()) return;  // a chunk of size 0 would end the body
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
  out += size;
  out += piece;
  out += "\r\n";
}

/// RFC 9112 section 7.1. Offsets that are out of order or range are passed over, the body is whole
/// in any case.
void append_chunks(std::string& out, std::string_view body,
                   const std::vector<std::size_t>& piece_ends) {
  std::size_t start = 0;
  for (std::size_t end : piece_ends) {
    end = std::min(end, body.size());
    if (end <= start) continue;
    append_chunk(out, body.substr(start, end - start));
    start = end;
  }
  append_chunk(out, body.substr(start));
}

void append_last_chunk(std::string& out, const Headers& trailers) {
  out += "0\r\n";
  append_fields(out, trailers, {});
  out += "\r\n";
}

/// What a response that was cut short announced; more than came in any case (redaction may have made it
/// longer).
std::uint64_t announced_length(std::string_view value, std::uint64_t came) {
  std::uint64_t length = 0;
  std::from_chars(value.data(), value.data() + value.size(), length);
  return std::max(length, came + 1);
}

}  // namespace

WireResponse write_response(const ResponseMessage& response, const ResponseTarget& target,
                            const std::vector<std::size_t>& piece_ends) {
  const Headers& headers = response.headers;
  const TransferCoding coding = transfer_coding(headers);
  const bool chunked = coding == TransferCoding::kChunked && !target.http_1_0;
  const bool bodyless = target.head_request || status_has_no_body(response.status);
  const bool interim = response.status >= 100 && response.status < 200;
  const HttpVersion spoken = target.http_1_0 ? HttpVersion{1, 0} : response.version;
  const bool persists = connection_persists(spoken, headers);
  const auto length = headers.find("content-length");
  // `identity` is no coding, and says that nothing else frames the body (RFC 2616 section 4.4).
  const bool may_add_length = persists && !target.until_close && !target.cut_short &&
                              !headers.find("transfer-encoding").has_value();

  FieldPlan plan;
  plan.body_size = response.body.size();
  plan.drop_chunked = coding == TransferCoding::kChunked && target.http_1_0;
  bool until_close = false;
  if (bodyless) {
    const bool keep = target.head_request || response.status == 304;
    plan.length = keep ? FieldPlan::Length::kKeep : FieldPlan::Length::kReplace;
    plan.body_size = 0;
  } else if (coding != TransferCoding::kNone) {
    // Content-Length beside Transfer-Encoding is not to be sent (RFC 9112 section 6.2).
    plan.length = FieldPlan::Length::kDrop;
    until_close = !chunked;
  } else if (length || may_add_length) {
    plan.length = FieldPlan::Length::kReplace;
    plan.add_missing_length = true;
    if (target.cut_short) plan.body_size = announced_length(*length, response.body.size());
  } else {
    until_close = true;
  }

  WireResponse wire;
  std::string& out = wire.bytes;
  out.reserve(256 + response.body.size());
  append_version(out, response.version);
  char status[16];
  std::snprintf(status, sizeof status, " %03d ", response.status);
  out += status;
  append_text(out, response.reason);
  out += "\r\n";
  append_fields(out, headers, plan);
  out += "\r\n";
  wire.head_size = out.size();
  if (!bodyless) {
    if (chunked) {
      append_chunks(out, response.body, piece_ends);
      if (!target.cut_short) append_last_chunk(out, response.trailers);
    } else {
      out += response.body;
    }
  }
  wire.close_after = until_close || (!persists && !interim);
  return wire;
}

std::string write_request(const RequestMessage& request) {
  const bool chunked = transfer_coding(request.headers) == TransferCoding::kChunked;
  FieldPlan plan;
  plan.body_size = request.body.size();
  plan.length = chunked ? FieldPlan::Length::kDrop : FieldPlan::Length::kReplace;
  plan.add_missing_length = !chunked && !request.body.empty();

  std::string out;
  out.reserve(256 + request.body.size());
  append_text(out, request.method);
  out += ' ';
  append_text(out, request.target);
  out += ' ';
  append_version(out, request.version);
  out += "\r\n";
  append_fields(out, request.headers, plan);
  out += "\r\n";
  if (chunked) {
    append_chunks(out, request.body, {});
    append_last_chunk(out, request.trailers);
  } else {
    out += request.body;
  }
  return out;
}

}  // namespace cassette
