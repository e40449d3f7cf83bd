// The text of `cassette show`. See show_text.h.
#include "cli/show_text.h"

#include "cli/body.h"
#include "cli/json.h"
#include "cli/text.h"
#include "store/formats/pem.h"

namespace cassette {
namespace {

constexpr std::size_t kDumped = 256;  ///< bytes of a binary body

std::string version_text(HttpVersion version) {
  return "HTTP/" + std::to_string(version.major) + "." + std::to_string(version.minor);
}

std::string header_lines(const Headers& headers) {
  std::string text;
  for (Headers::Field field : headers) {
    text += on_one_line(field.name) + ": " + on_one_line(field.value) + "\n";
  }
  return text;
}

/// The body behind an empty line. What is not simply its text is said in a line in brackets.
std::string body_text(const Headers& headers, const std::string& body, bool terminal) {
  if (body.empty()) return "";
  const ShownBody shown = shown_body(headers, body);
  std::string note;
  auto add = [&note](const std::string& part) { note += (note.empty() ? "" : "; ") + part; };
  if (!shown.coding.empty()) {
    add(on_one_line(shown.coding) + " undone, " + std::to_string(body.size()) + " bytes recorded");
  }
  if (!shown.problem.empty()) add("as recorded: " + on_one_line(shown.problem));
  if (!shown.is_text) {
    add("binary, " + std::to_string(shown.bytes.size()) + " bytes");
    if (shown.bytes.size() > kDumped) add("the first " + std::to_string(kDumped) + " follow");
  }
  std::string text = "\n";
  if (!note.empty()) text += "[" + note + "]\n";
  if (!shown.is_text) {
    text += hex_dump(shown.bytes, kDumped);
  } else {
    text += terminal ? for_terminal(indented_json(shown.bytes)) : shown.bytes;
  }
  if (text.back() != '\n') text += '\n';
  return text;
}

std::string informational_text(const Interaction& interaction) {
  std::string text;
  for (const InformationalResponse& each : interaction.informational) {
    text += "HTTP/1.1 " + std::to_string(each.status);
    text += each.reason.empty() ? "\n" : " " + on_one_line(each.reason) + "\n";
    text += header_lines(each.headers) + "\n";
  }
  return text;
}

/// What came behind it, in brackets as all that is not the answer's own.
std::string end_text(const Interaction& interaction) {
  switch (interaction.end) {
    case ResponseEnd::kEof:
      return "[the server closed the connection here]\n";
    case ResponseEnd::kReset:
      return "[the server reset the connection here]\n";
    case ResponseEnd::kOpen:
      return "[the program left here, before the end]\n";
    case ResponseEnd::kWhole:
      break;
  }
  return interaction.closes ? "[then the server closed the connection]\n" : "";
}

std::string error_text(const std::string& error) {
  if (error == kEofError) return "the server closed the connection without an answer (EOF)\n";
  if (error == kSilenceError) return "the program gave up waiting for an answer (SILENCE)\n";
  return "network error " + on_one_line(error) + "\n";
}

std::string certificate_text(const ServerCertificate& certificate) {
  std::string text = "the server's certificate, " + std::string(verdict_of(certificate)) + "\n";
  for (const std::string& der : certificate.chain) text += to_pem(der);
  return text;
}

}  // namespace

std::string interaction_text(const Interaction& interaction, std::size_t index, bool terminal) {
  const std::string when = recorded_at(interaction);
  std::string text = "=== " + std::to_string(index) + "  " + on_one_line(interaction.id);
  if (!when.empty()) text += "  " + when;
  if (interaction.times != 1) text += "  times " + std::to_string(interaction.times);
  if (interaction.priority != 0) text += "  priority " + std::to_string(interaction.priority);
  text += "\n";

  const RequestMessage& request = interaction.request;
  text += on_one_line(request.method) + " " + on_one_line(interaction.uri) + " " +
          version_text(request.version) + "\n";
  text += header_lines(request.headers);
  text += body_text(request.headers, request.body, terminal);
  if (!request.trailers.empty()) text += "\n" + header_lines(request.trailers);

  text += "---\n";
  if (interaction.certificate) return text + certificate_text(*interaction.certificate);
  if (!interaction.error.empty()) return text + error_text(interaction.error);
  text += informational_text(interaction);
  const ResponseMessage& response = interaction.response;
  text += version_text(response.version) + " " + std::to_string(response.status);
  text += response.reason.empty() ? "\n" : " " + on_one_line(response.reason) + "\n";
  text += header_lines(response.headers);
  text += body_text(response.headers, response.body, terminal);
  if (!response.trailers.empty()) text += "\n" + header_lines(response.trailers);
  return text + end_text(interaction);
}

}  // namespace cassette
