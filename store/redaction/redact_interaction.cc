// Redactor::redact(): the whole of an interaction, its codings and what follows from them in its headers.
#include <algorithm>
#include <iterator>
#include <utility>

#include "store/formats/text.h"
#include "store/redaction/body_secrets.h"
#include "store/redaction/known_secrets.h"
#include "store/redaction/plain_body.h"
#include "store/redaction/redaction.h"

namespace cassette {
namespace {

struct Body {
  PlainBody plain;
  std::string_view sent;
  std::vector<Edit> edits;

  std::string_view text() const { return plain.decoded ? std::string_view(plain.text) : sent; }
};

Body look_into(const Redactor& redactor, const Headers& headers, const std::string& body, Side side,
               Taken* taken) {
  if (body.empty()) return {{}, body, {}};
  Body result{plain_body(headers, body), body, {}};
  result.edits = find_body_secrets(redactor, headers.find("Content-Type").value_or(""),
                                   result.text(), side, taken);
  return result;
}

/// A large download that is no text holds no token that anybody put there, and searching it would take seconds.
std::vector<Edit> find_known(const KnownSecrets& known, std::string_view body) {
  constexpr std::size_t kMostBinary = std::size_t{8} << 20;
  if (body.size() > kMostBinary && !is_utf8(body)) return {};
  return known.find(body);
}

/// The pieces begin at the same bytes as before.
std::vector<Piece> moved(const std::vector<Piece>& pieces, const std::vector<Edit>& edits,
                         std::size_t body_size) {
  std::vector<Piece> result;
  for (Piece piece : pieces) {
    piece.offset = offset_after_edits(piece.offset, edits);
    const bool is_empty = piece.offset >= body_size;
    if (!is_empty && (result.empty() || result.back().offset != piece.offset))
      result.push_back(piece);
  }
  return result;
}

/// `body`: what became of it; nullptr for trailers.
Headers redact_headers(const Redactor& redactor, const Headers& headers, Side side, Taken* taken,
                       const Body* body, std::size_t body_size) {
  const bool changed = body != nullptr && !body->edits.empty();
  const bool decoded = changed && body->plain.decoded;
  Headers result;
  for (const Headers::Field field : headers) {
    if (decoded && equals_ignoring_case(field.name, "Content-Encoding")) continue;
    if (decoded && equals_ignoring_case(field.name, "Transfer-Encoding")) {
      const std::string rest = without_known_codings(field.value);
      if (!rest.empty()) result.add(field.name, rest);
    } else if (changed && equals_ignoring_case(field.name, "Content-Length")) {
      result.add(field.name, std::to_string(body_size));
    } else {
      result.add(field.name, redactor.redact_header(field.name, field.value, side, taken));
    }
  }
  return result;
}

/// Fields about the message itself: no program puts a secret there, and a number may be equal to one.
bool may_hold_secret(std::string_view name) {
  constexpr std::string_view kFraming[] = {"Host",
                                           "Content-Length",
                                           "Transfer-Encoding",
                                           "Connection",
                                           "Content-Type",
                                           "Content-Encoding",
                                           "Date",
                                           "Age"};
  return std::none_of(std::begin(kFraming), std::end(kFraming), [name](std::string_view framing) {
    return equals_ignoring_case(name, framing);
  });
}

std::size_t redact_known(const KnownSecrets& known, Headers& headers) {
  std::size_t count = 0;
  Headers result;
  for (const Headers::Field field : headers) {
    const std::vector<Edit> edits =
        may_hold_secret(field.name) ? known.find(field.value) : std::vector<Edit>();
    result.add(field.name, apply_edits(field.value, edits));
    count += edits.size();
  }
  if (count > 0) headers = std::move(result);
  return count;
}

}  // namespace

Redaction Redactor::redact(Interaction& interaction, KnownSecrets* known) const {
  RequestMessage& request = interaction.request;
  ResponseMessage& response = interaction.response;
  Redaction redaction;

  // The response first: what it gives away is to be known in all of the interaction, itself included.
  Taken taken;
  Body answer = look_into(*this, response.headers, response.body, Side::kResponse, &taken);
  Body asked = look_into(*this, request.headers, request.body, Side::kRequest, nullptr);
  // The fields below take out what is in them, and count.
  for (const Headers* headers : {&response.headers, &response.trailers}) {
    for (const Headers::Field field : *headers)
      redact_header(field.name, field.value, Side::kResponse, &taken);
  }
  redaction.response_values = taken.count;
  if (!answer.plain.unreadable.empty()) {
    redaction.unsearched = "the response's body, coded as " + answer.plain.unreadable;
  } else if (!asked.plain.unreadable.empty()) {
    redaction.unsearched = "the request's body, coded as " + asked.plain.unreadable;
  }

  interaction.uri = redact_uri(interaction.uri);
  request.target = redact_uri(request.target);
  if (known != nullptr && !taken.values.empty()) known->remember(taken.values);
  const bool looks_for_known = known != nullptr && known->refresh();
  if (looks_for_known) {
    interaction.uri = known->redact_uri(interaction.uri);
    request.target = known->redact_uri(request.target);
    asked.edits = merge_edits(std::move(asked.edits), find_known(*known, asked.text()));
    const std::size_t by_name = answer.edits.size();
    answer.edits = merge_edits(std::move(answer.edits), find_known(*known, answer.text()));
    redaction.response_values += answer.edits.size() - by_name;
  }

  auto rewrite = [this](Body& body, std::string& bytes, Headers& headers, Headers& trailers,
                        Side side) {
    std::string changed = body.edits.empty() ? std::string() : apply_edits(body.text(), body.edits);
    headers = redact_headers(*this, headers, side, nullptr, &body, changed.size());
    trailers = redact_headers(*this, trailers, side, nullptr, nullptr, 0);
    if (!body.edits.empty()) bytes = std::move(changed);
  };
  rewrite(asked, request.body, request.headers, request.trailers, Side::kRequest);
  rewrite(answer, response.body, response.headers, response.trailers, Side::kResponse);
  if (!answer.edits.empty()) {
    // Where its pieces were in the encoded bytes says nothing about the decoded ones.
    interaction.chunks = answer.plain.decoded
                             ? std::vector<Piece>()
                             : moved(interaction.chunks, answer.edits, response.body.size());
  }
  for (InformationalResponse& early : interaction.informational)
    early.headers = redact_headers(*this, early.headers, Side::kResponse, nullptr, nullptr, 0);
  if (looks_for_known) {
    for (InformationalResponse& early : interaction.informational)
      redact_known(*known, early.headers);
    redact_known(*known, request.headers);
    redact_known(*known, request.trailers);
    redaction.response_values += redact_known(*known, response.headers);
    redaction.response_values += redact_known(*known, response.trailers);
  }
  return redaction;
}

}  // namespace cassette
