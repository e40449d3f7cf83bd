// A document as a neutral tree: what the YAML and the JSON reader both produce, so that each format's
// meaning is written once, over this. Plain data: no tag constructs anything, an alias is a copy.
// Hostile documents are errors, bounded in depth and in size; see tree_from_yaml().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parser/result.h"

namespace cassette {

struct DocumentNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  bool binary = false;  ///< a scalar that was tagged !!binary: `text` has the decoded bytes
  bool plain = false;   ///< a scalar written without quotes (YAML plain; JSON number, true, false)
  int line = 0;         ///< 1-based
  std::string tag;   ///< YAML only, long form ("tag:yaml.org,2002:str"); empty when there is none
  std::string text;  ///< kScalar
  std::vector<DocumentNode> items;  ///< kList: the elements. kMap: key, value, key, value, in order

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }

  /// The value of a key, or nullptr; nullptr too when this is no map. Of equal keys the last counts,
  /// as in Python's loaders.
  const DocumentNode* find(std::string_view key) const;
  DocumentNode* find(std::string_view key);
  /// The keys, for messages: "headers, parsed_body, status".
  std::string key_names() const;
};

/// "name:line: reason".
Error error_at(const std::string& name, int line, std::string_view reason);

/// The deepest nesting that is read.
inline constexpr int kMaximumDocumentDepth = 100;

/// Reads one document. `name` begins every error ("name:line: reason"). Not UTF-8, control
/// characters, more than one document, nesting over kMaximumDocumentDepth, aliases that would swell
/// it beyond 16 times its size: errors. An empty document is a null.
Result<DocumentNode> tree_from_yaml(std::string_view text, const std::string& name);
Result<DocumentNode> tree_from_json(std::string_view text, const std::string& name);

}  // namespace cassette
