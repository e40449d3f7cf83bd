// See yaml.h: the fixed structure of a native cassette as YAML. How a string is written is in
// yaml_scalar.cc; how YAML is read in yaml_reader.cc and native.cc.
#include "store/formats/yaml.h"

#include "store/formats/header_groups.h"
#include "store/formats/latin_1.h"
#include "store/formats/native.h"
#include "store/formats/pem.h"
#include "store/formats/text.h"
#include "store/formats/tree.h"
#include "store/formats/yaml_scalar.h"

namespace cassette {
namespace {

/// "key: scalar" on its own line.
void append_entry(std::string& out, std::size_t indent, std::string_view key,
                  std::string_view text) {
  out.append(indent, ' ');
  out += key;
  out += ": ";
  append_yaml_scalar(out, text, indent + 2, ScalarPlace::kAfterKey);
  out += '\n';
}

void append_headers(std::string& out, std::size_t indent, std::string_view key,
                    const Headers& headers) {
  out.append(indent, ' ');
  out += key;
  if (headers.empty()) {
    out += ": {}\n";
    return;
  }
  out += ":\n";
  indent += 2;
  for (const HeaderGroup& group : group_headers(headers)) {
    out.append(indent, ' ');
    append_yaml_key(out, group.name, indent);
    out += '\n';
    for (std::string_view value : group.values) {
      out.append(indent, ' ');
      out += "- ";
      append_yaml_scalar(out, value, indent + 2, ScalarPlace::kAfterDash);
      out += '\n';
    }
  }
}

/// Nothing for none.
template <typename Names>
void append_names(std::string& out, std::size_t indent, std::string_view key, const Names& names) {
  if (names.empty()) return;
  out.append(indent, ' ');
  out += key;
  out += ":\n";
  for (std::string_view name : names) {
    out.append(indent, ' ');
    out += "- ";
    append_yaml_scalar(out, name, indent + 2, ScalarPlace::kAfterDash);
    out += '\n';
  }
}

void append_request(std::string& out, const Interaction& interaction) {
  out += "- request:\n";
  if (interaction.request_has_body || !interaction.request.body.empty()) {
    append_entry(out, 4, "body", interaction.request.body);
  } else {
    out += "    body: null\n";
  }
  const auto text = latin_1_text_of(interaction.request.headers);
  append_headers(out, 4, "headers", text ? text->headers : interaction.request.headers);
  append_entry(out, 4, "method", interaction.request.method);
  append_entry(out, 4, "uri", interaction.uri);
}

void append_chunks(std::string& out, const std::vector<Piece>& chunks) {
  constexpr std::size_t kColumns = 96;
  out += "    chunks: [";
  std::size_t line_begins = out.size() - 13;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    std::string pair =
        "[" + std::to_string(chunks[i].offset) + ", " + std::to_string(chunks[i].milliseconds);
    if (chunks[i].request_bytes != Piece::kWholeRequest) {
      pair += ", " + std::to_string(chunks[i].request_bytes);
    }
    pair += ']';
    if (i > 0) {
      out += ',';
      if (out.size() - line_begins + pair.size() > kColumns) {
        out += '\n';
        line_begins = out.size();
        out.append(6, ' ');
      } else {
        out += ' ';
      }
    }
    out += pair;
  }
  out += "]\n";
}

void append_status(std::string& out, std::size_t indent, int code, std::string_view reason) {
  out.append(indent, ' ');
  out += "status:\n";
  out.append(indent + 2, ' ');
  out += "code: " + std::to_string(code) + "\n";
  append_entry(out, indent + 2, "message", reason);
}

void append_informational(std::string& out, const std::vector<InformationalResponse>& all) {
  out += "    informational:\n";
  for (const InformationalResponse& each : all) {
    std::string item;
    append_headers(item, 6, "headers", each.headers);
    append_status(item, 6, each.status, each.reason);
    if (each.milliseconds != 0) {
      item += "      milliseconds: " + std::to_string(each.milliseconds) + "\n";
    }
    item[4] = '-';
    out += item;
  }
}

/// On one line: nobody has to read it.
void append_redacted(std::string& out, const RedactedDigests& redacted) {
  out += "  redacted: {key: '" + redacted.key + "'";
  for (const RedactedDigests::Digest& digest : redacted.digests) {
    out += ", ";
    append_yaml_key(out, digest.part, 4);
    out += " '" + digest.text + "'";
  }
  out += "}\n";
}

void append_response(std::string& out, const Interaction& interaction) {
  const ResponseMessage& response = interaction.response;
  out +=
      "  response:\n"
      "    body:\n";
  append_entry(out, 6, "string", response.body);
  const auto text = latin_1_text_of(response.headers);
  const Headers& headers = text ? text->headers : response.headers;
  append_headers(out, 4, "headers", headers);
  append_names(out, 4, "header_order", order_beyond_groups(headers, group_headers(headers)));
  if (text) append_names(out, 4, "latin_1_headers", text->coded);
  append_status(out, 4, response.status, response.reason);
  if (response.version != HttpVersion{}) {
    out += "    http_version: HTTP/" + std::to_string(response.version.major) + "." +
           std::to_string(response.version.minor) + "\n";
  }
  if (!interaction.chunks.empty()) append_chunks(out, interaction.chunks);
  if (interaction.first_byte_milliseconds != 0) {
    out += "    first_byte_ms: " + std::to_string(interaction.first_byte_milliseconds) + "\n";
  }
  if (!response.trailers.empty()) append_headers(out, 4, "trailers", response.trailers);
  if (!interaction.informational.empty()) append_informational(out, interaction.informational);
  if (interaction.end != ResponseEnd::kWhole) {
    out += "    ends: " + std::string(name_of(interaction.end)) + "\n";
  }
  if (interaction.closes) out += "    closes: true\n";
}

void append_certificate(std::string& out, const ServerCertificate& certificate) {
  std::vector<std::string> chain;
  for (const std::string& der : certificate.chain) chain.push_back(to_pem(der));
  out += "  certificate:\n";
  if (chain.empty()) out += "    chain: []\n";
  append_names(out, 4, "chain", chain);
  out += certificate.trusted ? "    trusted: true\n" : "    trusted: false\n";
}

void append_interaction(std::string& out, const Interaction& interaction) {
  append_request(out, interaction);
  if (interaction.certificate) {
    out += "  response: null\n";  // as below
    append_certificate(out, *interaction.certificate);
  } else if (interaction.error.empty()) {
    append_response(out, interaction);
  } else {
    // vcrpy wants the key to be there, in any interaction of a cassette that it loads.
    out += "  response: null\n";
    append_entry(out, 2, "error", interaction.error);
  }
  if (const auto text = latin_1_text_of(interaction.request.headers)) {
    append_names(out, 2, "latin_1_request_headers", text->coded);
  }
  if (!interaction.redacted.empty()) append_redacted(out, interaction.redacted);
  if (interaction.recorded_at) {
    if (auto time = format_rfc3339(*interaction.recorded_at)) {
      out += "  recorded_at: " + *time + "\n";
    }
  }
  if (interaction.times != 1) out += "  times: " + std::to_string(interaction.times) + "\n";
  if (interaction.priority != 0) {
    out += "  priority: " + std::to_string(interaction.priority) + "\n";
  }
}

}  // namespace

std::string interactions_to_yaml(const std::vector<Interaction>& interactions) {
  std::string out = interactions.empty() ? "interactions: []\n" : "interactions:\n";
  for (const Interaction& interaction : interactions) append_interaction(out, interaction);
  out += "version: 1\n";
  return out;
}

Result<std::vector<Interaction>> interactions_from_yaml(std::string_view text,
                                                        const std::string& name_for_errors) {
  auto tree = tree_from_yaml(text, name_for_errors);
  if (!tree) return tree.error();
  return interactions_from_tree(std::move(*tree), name_for_errors);
}

Result<Interaction> interaction_from_yaml(std::string_view text,
                                          const std::string& name_for_errors) {
  auto tree = tree_from_yaml(text, name_for_errors);
  if (!tree) return tree.error();
  return interaction_from_tree(std::move(*tree), name_for_errors);
}

}  // namespace cassette
