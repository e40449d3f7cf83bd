// See rendering.h.
#include "store/image/rendering.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "parser/writer.h"
#include "store/content_coding.h"

namespace cassette {

namespace {

/// The pieces that a body really has: ascending, the first from its beginning. What a cassette says
/// is not trusted.
std::vector<Piece> usable_pieces(const Interaction& interaction) {
  std::vector<Piece> pieces;
  std::uint64_t request_bytes = 0;
  for (Piece piece : interaction.chunks) {
    if (pieces.empty()) {
      piece.offset = 0;
    } else if (piece.offset <= pieces.back().offset) {
      continue;
    }
    if (piece.offset >= interaction.response.body.size() && piece.offset != 0) break;
    piece.request_bytes = request_bytes = std::max(request_bytes, piece.request_bytes);
    pieces.push_back(piece);
  }
  return pieces;
}

/// As write_response() wants them.
std::vector<std::size_t> ends_of(const std::vector<Piece>& pieces, std::size_t size) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 1; i < pieces.size(); ++i) ends.push_back(pieces[i].offset);
  if (!ends.empty()) ends.push_back(size);
  return ends;
}

/// From offsets into the body to offsets into what was written.
void move_to_wire(std::vector<Piece>& pieces, const WireResponse& wire, std::size_t body) {
  std::size_t in_wire = wire.bytes.size() - wire.head_size;
  if (in_wire == body) {
    for (Piece& piece : pieces) piece.offset += wire.head_size;
    return;
  }
  // Chunks: a size line before each piece and an empty one behind it.
  std::uint64_t at = wire.head_size;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::uint64_t begin = pieces[i].offset;
    std::uint64_t end = i + 1 < pieces.size() ? pieces[i + 1].offset : body;
    pieces[i].offset = at;
    std::size_t line = wire.bytes.find("\r\n", at);
    if (line == std::string::npos) return pieces.clear();
    at = line + 2 + (end - begin) + 2;
    if (at > wire.bytes.size()) return pieces.clear();
  }
}

/// The response as it is sent: tools that store a decoded body keep the header of the encoded one.
/// nullptr: as it is in the cassette.
std::unique_ptr<ResponseMessage> corrected(const ResponseMessage& response) {
  auto coding = response.headers.find("content-encoding");
  if (!coding || response.body.empty() || is_encoded(*coding, response.body)) return nullptr;
  auto copy = std::make_unique<ResponseMessage>(response);
  copy->headers.clear();
  for (auto field : response.headers) {
    if (!equals_ignoring_case(field.name, "content-encoding")) {
      copy->headers.add(field.name, field.value);
    }
  }
  return copy;
}

/// RFC 9110 section 10.1.1: a final answer instead of 100 (Continue), to a request whose body never
/// came.
bool was_answered_before_body(const RequestMessage& request) {
  if (!request.body.empty() || !request.headers.has_token("Expect", "100-continue")) return false;
  return request.headers.find("Transfer-Encoding").has_value() ||
         request.headers.find("Content-Length").value_or("0") != "0";
}

std::string render_informational(const InformationalResponse& response) {
  ResponseMessage message;
  message.status = response.status;
  message.reason = response.reason;
  message.headers = response.headers;
  return write_response(message, {}).bytes;
}

/// Pieces that say nothing but "at once".
bool are_idle(const Interaction& interaction, const std::vector<Piece>& pieces) {
  if (interaction.end == ResponseEnd::kOpen) return pieces.size() < 2;
  return std::all_of(pieces.begin(), pieces.end(), [](const Piece& piece) {
    return piece.milliseconds == 0 && piece.request_bytes == Piece::kWholeRequest;
  });
}

}  // namespace

Rendering render(const Interaction& interaction) {
  auto changed = corrected(interaction.response);
  const ResponseMessage& response = changed ? *changed : interaction.response;
  // An answer to HEAD keeps the Content-Length of the body that it does not have.
  ResponseTarget target;
  target.head_request = interaction.request.method == "HEAD";
  // What we recorded came so. Other tools leave out how a body was framed, and their clients went on.
  target.until_close = interaction.recorded_at.has_value();
  target.cut_short = interaction.end != ResponseEnd::kWhole;
  std::vector<Piece> body_pieces = usable_pieces(interaction);
  const std::size_t body = response.body.size();
  WireResponse wire = write_response(response, target, ends_of(body_pieces, body));
  if (wire.bytes.size() == wire.head_size) body_pieces.clear();  // nothing but the head is sent
  move_to_wire(body_pieces, wire, body);

  Rendering out;
  // RFC 9110 section 15.2.2: what was switched to is not played, and so nothing comes behind it.
  const bool ends = interaction.closes || response.status == 101;
  ResponseTarget head_target;
  head_target.head_request = true;
  out.close_after = wire.close_after || ends;
  out.close_after_head = write_response(response, head_target).close_after || ends;
  out.answers_before_body = was_answered_before_body(interaction.request);
  out.answers_early = !out.answers_before_body && !body_pieces.empty() &&
                      body_pieces.front().request_bytes != Piece::kWholeRequest;

  // The head is not held back for a body whose pieces wait for the request's: it may be what makes the client go on.
  const std::uint64_t head_waits_for = out.answers_early ? 0 : Piece::kWholeRequest;
  for (const InformationalResponse& informational : interaction.informational) {
    out.pieces.push_back({out.bytes.size(), informational.milliseconds, head_waits_for});
    out.bytes += render_informational(informational);
  }
  const std::size_t before = out.bytes.size();
  out.pieces.push_back({before, interaction.first_byte_milliseconds, head_waits_for});
  out.bytes += wire.bytes;
  out.head_size = before + wire.head_size;
  for (Piece& piece : body_pieces) {
    piece.offset += before;
    out.pieces.push_back(piece);
  }
  if (are_idle(interaction, out.pieces)) out.pieces.clear();
  return out;
}

}  // namespace cassette
