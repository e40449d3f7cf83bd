// See native_parts.h. Python's tags are read as the data they carry; none constructs anything.
#include "store/formats/native_parts.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "store/formats/text.h"

namespace cassette {
namespace {

constexpr std::string_view kYamlTag = "tag:yaml.org,2002:";
constexpr std::string_view kFileTag = "tag:yaml.org,2002:python/object/new:_io.BytesIO";
constexpr std::string_view kIteratorTag = "tag:yaml.org,2002:python/object/apply:builtins.iter";

Error wrong_kind(const DocumentNode& node, std::string_view what, std::string_view expected,
                 const std::string& name) {
  const char* found = node.is_map() ? "a map" : node.is_list() ? "a list" : "null";
  return error_at(
      name, node.line,
      std::string(what) + " is " + found + ", where " + std::string(expected) + " is expected");
}

bool is_base64_map(const DocumentNode& node) {
  if (!node.is_map() || node.find("base64_string") == nullptr) return false;
  for (std::size_t i = 0; i < node.items.size(); i += 2) {
    const std::string& key = node.items[i].text;
    if (key != "base64_string" && key != "string" && key != "encoding") return false;
  }
  return true;
}

Result<void> add_values(std::string_view field, DocumentNode& value, Headers& headers,
                        std::string_view what, const std::string& name) {
  if (!value.is_list()) {
    auto bytes = bytes_from_node(value, what, name);
    if (!bytes) return bytes.error();
    headers.add(field, *bytes);
    return {};
  }
  for (DocumentNode& item : value.items) {
    auto bytes = bytes_from_node(item, what, name);
    if (!bytes) return bytes.error();
    headers.add(field, *bytes);
  }
  return {};
}

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

/// True when the plain scalar is a number in JSON's sense, so that it can stand as it is.
bool is_json_number(std::string_view text) {
  std::size_t i = text.starts_with('-') ? 1 : 0;
  auto digits = [&] {
    std::size_t from = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i > from;
  };
  std::size_t first = i;
  if (!digits() || (text[first] == '0' && i > first + 1)) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

void write_json(const DocumentNode& node, JsonWriter& writer) {
  auto length = [](const std::string& text) {
    return static_cast<rapidjson::SizeType>(text.size());
  };
  switch (node.kind) {
    case DocumentNode::Kind::kNull:
      writer.Null();
      break;
    case DocumentNode::Kind::kScalar:
      if (node.plain && (node.text == "true" || node.text == "false")) {
        writer.Bool(node.text == "true");
      } else if (node.plain && is_json_number(node.text)) {
        writer.RawValue(node.text.data(), node.text.size(), rapidjson::kNumberType);
      } else {
        writer.String(node.text.data(), length(node.text));
      }
      break;
    case DocumentNode::Kind::kList:
      writer.StartArray();
      for (const DocumentNode& item : node.items) write_json(item, writer);
      writer.EndArray();
      break;
    case DocumentNode::Kind::kMap:
      writer.StartObject();
      for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
        writer.Key(node.items[i].text.data(), length(node.items[i].text));
        write_json(node.items[i + 1], writer);
      }
      writer.EndObject();
      break;
  }
}

/// The pieces of a body that was sent one by one. Nothing when an item is no text.
bool join_pieces(const DocumentNode& list, std::string& out) {
  for (const DocumentNode& item : list.items) {
    if (!item.is_scalar() || (item.plain && (is_json_number(item.text) || item.text == "true" ||
                                             item.text == "false"))) {
      return false;
    }
    out += item.text;
  }
  return true;
}

/// `!!python/object/new:_io.BytesIO {state: [bytes, position, ...]}`.
const DocumentNode* file_content(const DocumentNode& node) {
  const DocumentNode* state = node.is_map() ? node.find("state") : &node;
  if (state == nullptr || !state->is_list() || state->items.empty()) return nullptr;
  return state->items[0].is_scalar() ? &state->items[0] : nullptr;
}

/// `!!python/object/apply:builtins.iter {args: [[piece, ...]], state: n}`, or the arguments alone.
const DocumentNode* iterator_content(const DocumentNode& node) {
  const DocumentNode* arguments = node.is_map() ? node.find("args") : &node;
  if (arguments == nullptr || !arguments->is_list() || arguments->items.empty()) return nullptr;
  return &arguments->items[0];
}

}  // namespace

Result<void> check_tag(const DocumentNode& node, const std::string& name) {
  std::string_view tag = node.tag;
  std::string_view short_tag = tag.starts_with(kYamlTag) ? tag.substr(kYamlTag.size()) : tag;
  if (!short_tag.starts_with("python/object") && !short_tag.starts_with("ruby/") &&
      !short_tag.starts_with("!ruby/") && !short_tag.starts_with("python/name") &&
      !short_tag.starts_with("python/module")) {
    return {};
  }
  std::string reason = "the tag !!" + for_message(short_tag) + " stands for an object of a program";
  if (short_tag.find("vcr.request") != std::string_view::npos) {
    reason += ": this is a cassette from before vcrpy 1.0";
  }
  return error_at(name, node.line, reason + "; cassettes hold data only");
}

Result<std::string> bytes_from_node(DocumentNode& node, std::string_view what,
                                    const std::string& name) {
  if (auto tag = check_tag(node, name); !tag) return tag.error();
  if (node.is_scalar()) return std::move(node.text);
  if (node.is_null()) return std::string();
  if (node.is_map()) {
    const DocumentNode* base64 = node.find("base64_string");
    if (base64 != nullptr && base64->is_scalar()) {
      auto bytes = decode_base64(base64->text);
      if (bytes) return std::move(*bytes);
      return error_at(name, base64->line,
                      std::string(what) + ".base64_string is not complete base64");
    }
    DocumentNode* text = node.find("string");
    if (text != nullptr) {
      if (auto tag = check_tag(*text, name); !tag) return tag.error();
      if (text->is_scalar() || text->is_null()) return std::move(text->text);
    }
  }
  return wrong_kind(node, what, "text", name);
}

Result<void> headers_from_node(DocumentNode& node, Headers& headers, std::string_view what,
                               const std::string& name) {
  if (auto tag = check_tag(node, name); !tag) return tag.error();
  if (node.is_null()) return {};
  if (node.is_map()) {
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      auto field = bytes_from_node(node.items[i], what, name);
      if (!field) return field.error();
      auto added = add_values(*field, node.items[i + 1], headers, what, name);
      if (!added) return added;
    }
    return {};
  }
  if (!node.is_list()) {
    return error_at(name, node.line, std::string(what) + " is text, where a map is expected");
  }
  for (DocumentNode& pair : node.items) {
    if (!pair.is_list() || pair.items.size() != 2) {
      return error_at(name, pair.line,
                      std::string(what) + " has an item that is no pair of name and values");
    }
    auto field = bytes_from_node(pair.items[0], what, name);
    if (!field) return field.error();
    auto added = add_values(*field, pair.items[1], headers, what, name);
    if (!added) return added;
  }
  return {};
}

Result<std::string> request_body_from_node(DocumentNode& node, const std::string& name) {
  constexpr std::string_view kWhat = "request.body";
  const DocumentNode* content = nullptr;
  if (node.tag == kFileTag) {
    content = file_content(node);
    if (content == nullptr) return error_at(name, node.line, "a BytesIO without its bytes");
  } else if (node.tag == kIteratorTag) {
    content = iterator_content(node);
    if (content == nullptr) return error_at(name, node.line, "an iterator without its pieces");
  }
  if (content != nullptr) {
    std::string pieces;
    if (content->is_scalar()) return content->text;
    if (content->is_list() && join_pieces(*content, pieces)) return pieces;
    return error_at(name, node.line, "request.body is an object whose content is no text");
  }

  if (node.is_scalar() || node.is_null() || is_base64_map(node)) {
    return bytes_from_node(node, kWhat, name);
  }
  if (auto tag = check_tag(node, name); !tag) return tag.error();
  std::string pieces;
  if (node.is_list() && join_pieces(node, pieces)) return pieces;
  rapidjson::StringBuffer buffer;
  JsonWriter writer(buffer);
  write_json(node, writer);
  return std::string(buffer.GetString(), buffer.GetSize());
}

}  // namespace cassette
