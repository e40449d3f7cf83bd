// See json.h: the fixed structure of a native cassette as JSON, in vcrpy's order of keys. How JSON is
// read is in json_reader.cc and native.cc.
#include "store/formats/json.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "store/formats/header_groups.h"
#include "store/formats/latin_1.h"
#include "store/formats/native.h"
#include "store/formats/pem.h"
#include "store/formats/text.h"
#include "store/formats/tree.h"

namespace cassette {
namespace {

using Compact = rapidjson::Writer<rapidjson::StringBuffer>;
using Pretty = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

template <typename Writer>
void write_key(Writer& writer, std::string_view key) {
  writer.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
}

template <typename Writer>
void write_string(Writer& writer, std::string_view text) {
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

/// `{base64_string: ...}`: a reader that knows `string` alone fails, aloud. With a `string` of null beside it vcrpy gives
/// an empty body, and does not say so.
template <typename Writer>
void write_base64_map(Writer& writer, std::string_view bytes) {
  writer.StartObject();
  write_key(writer, "base64_string");
  write_string(writer, encode_base64(bytes));
  writer.EndObject();
}

template <typename Writer>
void write_bytes(Writer& writer, std::string_view bytes) {
  if (is_utf8(bytes)) {
    write_string(writer, bytes);
  } else {
    write_base64_map(writer, bytes);
  }
}

template <typename Writer>
void write_headers(Writer& writer, const Headers& headers) {
  std::vector<HeaderGroup> groups = group_headers(headers);
  bool names_are_text = true;
  for (const HeaderGroup& group : groups) names_are_text = names_are_text && is_utf8(group.name);
  auto write_values = [&](const HeaderGroup& group) {
    writer.StartArray();
    for (std::string_view value : group.values) write_bytes(writer, value);
    writer.EndArray();
  };
  // A key has to be text; the list of pairs that old cassettes have can hold any name.
  if (names_are_text) {
    writer.StartObject();
    for (const HeaderGroup& group : groups) {
      write_key(writer, group.name);
      write_values(group);
    }
    writer.EndObject();
  } else {
    writer.StartArray();
    for (const HeaderGroup& group : groups) {
      writer.StartArray();
      write_bytes(writer, group.name);
      write_values(group);
      writer.EndArray();
    }
    writer.EndArray();
  }
}

template <typename Writer, typename Names>
void write_names(Writer& writer, std::string_view key, const Names& names) {
  write_key(writer, key);
  writer.StartArray();
  for (std::string_view name : names) write_bytes(writer, name);
  writer.EndArray();
}

template <typename Writer>
void write_request(Writer& writer, const Interaction& interaction) {
  writer.StartObject();
  write_key(writer, "method");
  write_bytes(writer, interaction.request.method);
  write_key(writer, "uri");
  write_bytes(writer, interaction.uri);
  write_key(writer, "body");
  if (interaction.request_has_body || !interaction.request.body.empty()) {
    write_bytes(writer, interaction.request.body);
  } else {
    writer.Null();
  }
  write_key(writer, "headers");
  const auto text = latin_1_text_of(interaction.request.headers);
  write_headers(writer, text ? text->headers : interaction.request.headers);
  writer.EndObject();
}

void single_line(Pretty& writer, bool on) {
  writer.SetFormatOptions(on ? rapidjson::kFormatSingleLineArray : rapidjson::kFormatDefault);
}
void single_line(Compact&, bool) {}

template <typename Writer>
void write_status(Writer& writer, int code, std::string_view reason) {
  write_key(writer, "status");
  writer.StartObject();
  write_key(writer, "code");
  writer.Int(code);
  write_key(writer, "message");
  write_bytes(writer, reason);
  writer.EndObject();
}

/// How it came, beside what it says.
template <typename Writer>
void write_course(Writer& writer, const Interaction& interaction) {
  if (!interaction.informational.empty()) {
    write_key(writer, "informational");
    writer.StartArray();
    for (const InformationalResponse& each : interaction.informational) {
      writer.StartObject();
      write_status(writer, each.status, each.reason);
      write_key(writer, "headers");
      write_headers(writer, each.headers);
      if (each.milliseconds != 0) {
        write_key(writer, "milliseconds");
        writer.Uint(each.milliseconds);
      }
      writer.EndObject();
    }
    writer.EndArray();
  }
  if (interaction.end != ResponseEnd::kWhole) {
    write_key(writer, "ends");
    write_string(writer, name_of(interaction.end));
  }
  if (interaction.closes) {
    write_key(writer, "closes");
    writer.Bool(true);
  }
}

template <typename Writer>
void write_redacted(Writer& writer, const RedactedDigests& redacted) {
  write_key(writer, "redacted");
  writer.StartObject();
  write_key(writer, "key");
  write_string(writer, redacted.key);
  for (const RedactedDigests::Digest& digest : redacted.digests) {
    write_key(writer, digest.part);
    write_string(writer, digest.text);
  }
  writer.EndObject();
}

template <typename Writer>
void write_response(Writer& writer, const Interaction& interaction) {
  const ResponseMessage& response = interaction.response;
  writer.StartObject();
  write_status(writer, response.status, response.reason);
  write_key(writer, "headers");
  const auto text = latin_1_text_of(response.headers);
  const Headers& headers = text ? text->headers : response.headers;
  write_headers(writer, headers);
  if (auto order = order_beyond_groups(headers, group_headers(headers)); !order.empty()) {
    write_names(writer, "header_order", order);
  }
  if (text) write_names(writer, "latin_1_headers", text->coded);
  write_key(writer, "body");
  if (is_utf8(response.body)) {
    writer.StartObject();
    write_key(writer, "string");
    write_string(writer, response.body);
    writer.EndObject();
  } else {
    write_base64_map(writer, response.body);
  }
  if (response.version != HttpVersion{}) {
    write_key(writer, "http_version");
    write_string(writer, "HTTP/" + std::to_string(response.version.major) + "." +
                             std::to_string(response.version.minor));
  }
  if (!interaction.chunks.empty()) {
    write_key(writer, "chunks");
    single_line(writer, true);
    writer.StartArray();
    for (const Piece& piece : interaction.chunks) {
      writer.StartArray();
      writer.Uint64(piece.offset);
      writer.Uint(piece.milliseconds);
      if (piece.request_bytes != Piece::kWholeRequest) writer.Uint64(piece.request_bytes);
      writer.EndArray();
    }
    writer.EndArray();
    single_line(writer, false);
  }
  if (interaction.first_byte_milliseconds != 0) {
    write_key(writer, "first_byte_ms");
    writer.Uint(interaction.first_byte_milliseconds);
  }
  if (!response.trailers.empty()) {
    write_key(writer, "trailers");
    write_headers(writer, response.trailers);
  }
  write_course(writer, interaction);
  writer.EndObject();
}

template <typename Writer>
void write_certificate(Writer& writer, const ServerCertificate& certificate) {
  writer.StartObject();
  write_key(writer, "chain");
  writer.StartArray();
  for (const std::string& der : certificate.chain) write_string(writer, to_pem(der));
  writer.EndArray();
  write_key(writer, "trusted");
  writer.Bool(certificate.trusted);
  writer.EndObject();
}

template <typename Writer>
void write_interaction(Writer& writer, const Interaction& interaction) {
  writer.StartObject();
  write_key(writer, "request");
  write_request(writer, interaction);
  if (interaction.certificate) {
    write_key(writer, "response");  // as below
    writer.Null();
    write_key(writer, "certificate");
    write_certificate(writer, *interaction.certificate);
  } else if (interaction.error.empty()) {
    write_key(writer, "response");
    write_response(writer, interaction);
  } else {
    // vcrpy wants the key to be there, in any interaction of a cassette that it loads.
    write_key(writer, "response");
    writer.Null();
    write_key(writer, "error");
    write_bytes(writer, interaction.error);
  }
  if (const auto text = latin_1_text_of(interaction.request.headers)) {
    write_names(writer, "latin_1_request_headers", text->coded);
  }
  if (!interaction.redacted.empty()) write_redacted(writer, interaction.redacted);
  if (interaction.recorded_at) {
    if (auto time = format_rfc3339(*interaction.recorded_at)) {
      write_key(writer, "recorded_at");
      write_string(writer, *time);
    }
  }
  if (interaction.times != 1) {
    write_key(writer, "times");
    writer.Uint(interaction.times);
  }
  if (interaction.priority != 0) {
    write_key(writer, "priority");
    writer.Int(interaction.priority);
  }
  writer.EndObject();
}

}  // namespace

std::string interaction_to_json(const Interaction& interaction, bool pretty) {
  rapidjson::StringBuffer buffer;
  if (pretty) {
    Pretty writer(buffer);
    write_interaction(writer, interaction);
    buffer.Put('\n');
  } else {
    Compact writer(buffer);
    write_interaction(writer, interaction);
  }
  return std::string(buffer.GetString(), buffer.GetSize());
}

std::string interactions_to_json(const std::vector<Interaction>& interactions) {
  rapidjson::StringBuffer buffer;
  Pretty writer(buffer);
  writer.StartObject();
  write_key(writer, "version");
  writer.Int(1);
  write_key(writer, "interactions");
  writer.StartArray();
  for (const Interaction& interaction : interactions) write_interaction(writer, interaction);
  writer.EndArray();
  writer.EndObject();
  buffer.Put('\n');
  return std::string(buffer.GetString(), buffer.GetSize());
}

Result<Interaction> interaction_from_json(std::string_view text,
                                          const std::string& name_for_errors) {
  auto tree = tree_from_json(text, name_for_errors);
  if (!tree) return tree.error();
  return interaction_from_tree(std::move(*tree), name_for_errors);
}

Result<std::vector<Interaction>> interactions_from_json(std::string_view text,
                                                        const std::string& name_for_errors) {
  auto tree = tree_from_json(text, name_for_errors);
  if (!tree) return tree.error();
  return interactions_from_tree(std::move(*tree), name_for_errors);
}

}  // namespace cassette
