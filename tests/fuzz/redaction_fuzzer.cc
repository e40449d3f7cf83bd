// Credentials taken out of arbitrary bodies and headers: nothing may crash, and what was redacted has
// nothing left to be redacted. The first line is the Content-Type, the second a header field.
#include "store/redaction/redaction.h"

#include "store/redaction/body_secrets.h"
#include "store/redaction/known_secrets.h"
#include "tests/fuzz/input.h"

using cassette::fuzzing::must;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cassette::Redactor redactor(cassette::default_filter_headers(),
                                           cassette::default_filter_query(),
                                           cassette::default_filter_body());
  std::string_view body = cassette::fuzzing::text_of(data, size);
  const std::string_view type = cassette::fuzzing::take_until(body, '\n');
  std::string_view value = cassette::fuzzing::take_until(body, '\n');
  const std::string_view name = cassette::fuzzing::take_until(value, ':');

  std::size_t position = 0;
  for (const cassette::Edit& edit : cassette::find_body_secrets(redactor, type, body)) {
    must(edit.offset >= position && edit.length <= body.size() - edit.offset,
         "edits ascend, do not overlap and lie inside");
    position = edit.offset + edit.length;
  }
  for (const cassette::Side side : {cassette::Side::kRequest, cassette::Side::kResponse}) {
    const std::string redacted = redactor.redact_body(type, body, side);
    must(redactor.redact_body(type, redacted, side) == redacted, "no secret is left in the body");
    const std::string field = redactor.redact_header(name, value, side);
    must(redactor.redact_header(name, field, side) == field, "no secret is left in the header");
  }

  cassette::Interaction interaction;
  interaction.uri = "http://a/";
  for (cassette::Headers* headers : {&interaction.request.headers, &interaction.response.headers}) {
    headers->add("Content-Type", type);
    headers->add(name, value);
  }
  interaction.request.body = interaction.response.body = body;
  for (std::size_t offset = 0; offset < body.size(); offset += 7) {
    interaction.chunks.push_back({offset, 1});
  }
  cassette::KnownSecrets known("");
  redactor.redact(interaction, &known);
  for (const cassette::Edit& edit : known.find(interaction.response.body)) {
    must(edit.offset + edit.length <= interaction.response.body.size(), "an edit lies inside");
  }
  std::uint64_t last = 0;
  for (const cassette::Piece& piece : interaction.chunks) {
    must(piece.offset >= last && piece.offset <= interaction.response.body.size(),
         "pieces ascend and lie inside");
    last = piece.offset;
  }
  return 0;
}
