// JSON to a document tree, with simdjson's on-demand reader: the only one of its two that can tell where
// in the text a value stands. Every value is visited, so that nothing goes unchecked.
#include <simdjson.h>

#include "store/formats/text.h"
#include "store/formats/tree.h"

namespace cassette {
namespace {

namespace ondemand = simdjson::ondemand;

class TreeReader {
 public:
  TreeReader(const char* text, std::size_t size, const std::string& name)
      : text_(text), size_(size), name_(name) {}

  Result<DocumentNode> read(ondemand::parser& parser, const simdjson::padded_string& padded) {
    ondemand::document document;
    if (auto error = parser.iterate(padded).get(document)) return failure(error);
    ondemand::value value;
    // A bare scalar has no value() in this reader; it is no cassette either.
    if (auto error = document.get_value().get(value)) {
      if (error == simdjson::SCALAR_DOCUMENT_AS_VALUE) {
        return error_at(name_, 1, "a single scalar, where a map is expected");
      }
      return failure(error);
    }
    DocumentNode root;
    if (auto error = read_value(value, root, 0)) return failure(error);
    const char* rest;
    if (!document.current_location().get(rest)) {  // succeeds only where something is left
      locate(rest);
      return failure(simdjson::TRAILING_CONTENT);
    }
    return root;
  }

 private:
  simdjson::error_code read_value(ondemand::value value, DocumentNode& node, int depth) {
    ondemand::json_type type;
    std::string_view token = value.raw_json_token();
    locate(token.data());
    node.line = line_;
    if (depth >= kMaximumDocumentDepth) return simdjson::DEPTH_ERROR;
    if (auto error = value.type().get(type)) return error;
    switch (type) {
      case ondemand::json_type::object:
        return read_map(value, node, depth);
      case ondemand::json_type::array:
        return read_list(value, node, depth);
      case ondemand::json_type::string: {
        std::string_view text;
        if (auto error = value.get_string().get(text)) return error;
        node.kind = DocumentNode::Kind::kScalar;
        node.text = text;
        return simdjson::SUCCESS;
      }
      case ondemand::json_type::number: {
        // The digits are kept as they are; that they are a number is checked.
        ondemand::number number;
        auto error = value.get_number().get(number);
        if (error && error != simdjson::NUMBER_OUT_OF_RANGE) {
          double any;
          if (auto still = value.get_double().get(any)) return still;
        }
        break;
      }
      case ondemand::json_type::boolean: {
        bool any;
        if (auto error = value.get_bool().get(any)) return error;
        break;
      }
      case ondemand::json_type::null: {
        bool any;
        if (auto error = value.is_null().get(any)) return error;
        return any ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
      }
    }
    while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
    node.kind = DocumentNode::Kind::kScalar;
    node.plain = true;
    node.text = token;
    return simdjson::SUCCESS;
  }

  simdjson::error_code read_map(ondemand::value value, DocumentNode& node, int depth) {
    node.kind = DocumentNode::Kind::kMap;
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    for (auto field : object) {
      std::string_view key;
      if (auto error = field.unescaped_key().get(key)) return error;
      DocumentNode& key_node = node.items.emplace_back();
      key_node.kind = DocumentNode::Kind::kScalar;
      key_node.text = key;
      key_node.line = line_;
      ondemand::value child;
      if (auto error = field.value().get(child)) return error;
      DocumentNode child_node;
      if (auto error = read_value(child, child_node, depth + 1)) return error;
      node.items.push_back(std::move(child_node));
    }
    return simdjson::SUCCESS;
  }

  simdjson::error_code read_list(ondemand::value value, DocumentNode& node, int depth) {
    node.kind = DocumentNode::Kind::kList;
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    for (auto element : array) {
      ondemand::value child;
      if (auto error = element.get(child)) return error;
      DocumentNode child_node;
      if (auto error = read_value(child, child_node, depth + 1)) return error;
      node.items.push_back(std::move(child_node));
    }
    return simdjson::SUCCESS;
  }

  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

  /// Values are visited from front to back, so that each line end is counted once.
  void locate(const char* position) {
    std::size_t offset = static_cast<std::size_t>(position - text_);
    for (; counted_ < offset && counted_ < size_; ++counted_) line_ += text_[counted_] == '\n';
  }

  Error failure(simdjson::error_code code) const {
    switch (code) {
      case simdjson::EMPTY:
        return error_at(name_, 1, "an empty file, where JSON is expected");
      case simdjson::DEPTH_ERROR:
        return error_at(name_, line_,
                        "nested more than " + std::to_string(kMaximumDocumentDepth) +
                            " deep, which no cassette is");
      case simdjson::UTF8_ERROR:
        return error_at(name_, line_of_invalid_utf8({text_, size_}),
                        "bytes that are not UTF-8, which JSON has to be");
      case simdjson::UNCLOSED_STRING:
        return error_at(name_, line_of_open_string(), "not valid JSON: a string is not closed");
      case simdjson::TRAILING_CONTENT:
        return error_at(name_, line_, "not valid JSON: something follows the end");
      default:
        // The line is that of the last value that could be read.
        return error_at(
            name_, line_,
            std::string("not valid JSON here or below: ") + simdjson::error_message(code));
    }
  }

  /// Where the last string begins: it is that one that does not end.
  int line_of_open_string() const {
    int line = 1, begins = 1;
    bool inside = false;
    for (std::size_t i = 0; i < size_; ++i) {
      if (text_[i] == '\n') ++line;
      if (inside && text_[i] == '\\')
        ++i;
      else if (text_[i] == '"' && (inside = !inside))
        begins = line;
    }
    return begins;
  }

  const char* text_;
  std::size_t size_;
  const std::string& name_;
  std::size_t counted_ = 0;
  int line_ = 1;
};

}  // namespace

Result<DocumentNode> tree_from_json(std::string_view text, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  simdjson::padded_string padded(text);
  ondemand::parser parser;
  TreeReader reader(padded.data(), padded.size(), name);
  return reader.read(parser, padded);
}

}  // namespace cassette
