// Interactions as JSON. See json.h.
#include "cli/json.h"

#include "cli/body.h"
#include "store/formats/pem.h"
#include "store/formats/text.h"

namespace cassette {

JsonOutput::JsonOutput() : writer_(buffer_) { writer_.SetIndent(' ', 2); }

std::string JsonOutput::line() const {
  std::string line;
  bool at_begin = false;
  // A line end within a string is written as \n.
  for (const char c : std::string_view(buffer_.GetString(), buffer_.GetSize())) {
    if (c == '\n') {
      at_begin = true;
    } else if (!at_begin || c != ' ') {
      if (at_begin && line.back() == ',') line += ' ';
      at_begin = false;
      line += c;
    }
  }
  return line + "\n";
}

void JsonOutput::string(std::string_view bytes) {
  std::string converted;
  if (!is_utf8(bytes)) {
    for (char byte : bytes) append_utf8(converted, static_cast<unsigned char>(byte));
    bytes = converted;
  }
  writer_.String(bytes.data(), static_cast<rapidjson::SizeType>(bytes.size()));
}

void JsonOutput::member(const char* name, std::string_view value) {
  key(name);
  string(value);
}

void JsonOutput::member(const char* name, std::uint64_t value) {
  key(name);
  number(value);
}

void JsonOutput::member_or_null(const char* name, std::string_view value) {
  key(name);
  value.empty() ? null() : string(value);
}

void JsonOutput::identity(const Interaction& interaction, std::size_t index) {
  member("index", std::uint64_t{index});
  member("id", interaction.id);
  if (!interaction.file.empty()) member("file", interaction.file);
  member("method", interaction.request.method);
  member("uri", interaction.uri);
}

void JsonOutput::row(const Interaction& interaction, std::size_t index) {
  begin_object();
  identity(interaction, index);
  const bool answered = interaction.error.empty() && !interaction.certificate;
  key("status");
  answered ? number(static_cast<std::uint64_t>(interaction.response.status)) : null();
  key("size");
  answered ? number(interaction.response.body.size()) : null();
  if (!interaction.error.empty()) member("error", interaction.error);
  if (interaction.certificate) member("certificate", verdict_of(*interaction.certificate));
  if (interaction.end != ResponseEnd::kWhole) member("ends", name_of(interaction.end));
  member_or_null("when", recorded_at(interaction));
  end_object();
}

void JsonOutput::whole(const Interaction& interaction, std::size_t index) {
  begin_object();
  member("index", std::uint64_t{index});
  member("id", interaction.id);
  if (!interaction.file.empty()) member("file", interaction.file);
  member_or_null("when", recorded_at(interaction));
  member("times", std::uint64_t{interaction.times});
  key("priority");
  writer_.Int(interaction.priority);

  const RequestMessage& request = interaction.request;
  key("request");
  begin_object();
  member("method", request.method);
  member("uri", interaction.uri);
  version(request.version);
  headers("headers", request.headers);
  body(request.headers, request.body, interaction.request_has_body || !request.body.empty());
  if (!request.trailers.empty()) headers("trailers", request.trailers);
  end_object();

  if (interaction.certificate) {
    key("certificate");
    begin_object();
    key("trusted");
    boolean(interaction.certificate->trusted);
    key("chain");
    begin_array();
    for (const std::string& der : interaction.certificate->chain) string(to_pem(der));
    end_array();
    end_object();
    end_object();
    return;
  }
  if (!interaction.error.empty()) {
    member("error", interaction.error);
    end_object();
    return;
  }
  const ResponseMessage& response = interaction.response;
  key("response");
  begin_object();
  member("status", static_cast<std::uint64_t>(response.status));
  member("reason", response.reason);
  version(response.version);
  headers("headers", response.headers);
  body(response.headers, response.body, true);
  if (!response.trailers.empty()) headers("trailers", response.trailers);
  if (!interaction.chunks.empty()) {
    key("chunks");
    begin_array();
    for (const Piece& piece : interaction.chunks) {
      begin_object();
      member("offset", piece.offset);
      member("milliseconds", std::uint64_t{piece.milliseconds});
      if (piece.request_bytes != Piece::kWholeRequest) member("request_bytes", piece.request_bytes);
      end_object();
    }
    end_array();
  }
  course(interaction);
  end_object();
  end_object();
}

/// How it came and ended, beside its pieces.
void JsonOutput::course(const Interaction& interaction) {
  if (interaction.first_byte_milliseconds != 0) {
    member("first_byte_ms", std::uint64_t{interaction.first_byte_milliseconds});
  }
  if (!interaction.informational.empty()) {
    key("informational");
    begin_array();
    for (const InformationalResponse& each : interaction.informational) {
      begin_object();
      member("status", static_cast<std::uint64_t>(each.status));
      member("reason", each.reason);
      headers("headers", each.headers);
      member("milliseconds", std::uint64_t{each.milliseconds});
      end_object();
    }
    end_array();
  }
  if (interaction.end != ResponseEnd::kWhole) member("ends", name_of(interaction.end));
  if (interaction.closes) {
    key("closes");
    boolean(true);
  }
}

void JsonOutput::headers(const char* name, const Headers& headers) {
  key(name);
  // A list, because order and duplicates count.
  begin_array();
  for (Headers::Field field : headers) {
    begin_object();
    member("name", field.name);
    member("value", field.value);
    end_object();
  }
  end_array();
}

void JsonOutput::body(const Headers& headers, const std::string& body, bool present) {
  key("body");
  if (!present) return null();
  const ShownBody shown = shown_body(headers, body);
  begin_object();
  member("size", std::uint64_t{body.size()});
  if (!shown.coding.empty()) member("decoded", shown.coding);
  if (!shown.problem.empty()) member("problem", shown.problem);
  shown.is_text ? member("text", shown.bytes) : member("base64", encode_base64(shown.bytes));
  end_object();
}

void JsonOutput::version(HttpVersion version) {
  member("http_version", std::to_string(version.major) + "." + std::to_string(version.minor));
}

std::size_t entries_in(const Cassette& cassette) {
  return cassette.interactions.size() + cassette.certificates.size();
}

const Interaction& entry_of(const Cassette& cassette, std::size_t index) {
  const std::size_t played = cassette.interactions.size();
  return index < played ? cassette.interactions[index] : cassette.certificates[index - played];
}

std::string_view verdict_of(const ServerCertificate& certificate) {
  return certificate.trusted ? "trusted" : "untrusted";
}

std::string recorded_at(const Interaction& interaction) {
  if (!interaction.recorded_at) return "";
  return format_rfc3339(*interaction.recorded_at).value_or("");
}

}  // namespace cassette
