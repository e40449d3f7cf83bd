// YAML to a document tree, from yaml-cpp's events (its node graph would hold everything twice).
//
// yaml-cpp 0.7 is careful about syntax and careless about bytes, so that some checks stand before it:
// a 0x04 ends its input silently, and bytes that are not UTF-8 become U+FFFD. What it gets wrong in
// scalars is put right afterwards: yaml_repair.h and tagged_blocks.h say what that is.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <streambuf>
#include <unordered_map>

#include "store/formats/tagged_blocks.h"
#include "store/formats/text.h"
#include "store/formats/tree.h"
#include "store/formats/yaml_merge.h"
#include "store/formats/yaml_repair.h"

namespace cassette {
namespace {

/// Thrown through yaml-cpp by the handler below, caught in tree_from_yaml().
struct Refusal {
  int line;
  std::string reason;
};

class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // only ever read: there is no put area
    setg(begin, begin, begin + text.size());
  }
};

bool is_binary_tag(std::string_view tag) {
  return tag == "tag:yaml.org,2002:binary" || tag == "!binary";
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::size_t budget, const TaggedBlocks& tagged_blocks)
      : text_(text), budget_(budget), tagged_blocks_(tagged_blocks) {}

  DocumentNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(mark, ""), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const std::string* taken = tagged_blocks_.tag_at(mark.line + 1);
    DocumentNode node = make(mark, taken != nullptr ? *taken : tag);
    node.kind = DocumentNode::Kind::kScalar;
    node.plain = tag == "?";
    if (is_binary_tag(node.tag)) {
      auto bytes = decode_base64(value);
      if (!bytes) throw Refusal{node.line, "!!binary that is not complete base64"};
      node.text = std::move(*bytes);
      node.binary = true;
    } else {
      node.text = value;
      repair_escapes(node.text);
      if (tag != "?") {
        repair_line_ends(text_, static_cast<std::size_t>(mark.pos), node.text);
      }
      tagged_blocks_.restore(node.text);
    }
    add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      throw Refusal{mark.line + 1, "an alias inside the very node that it stands for"};
    }
    // A copy holds the depth of what it copies as well.
    if (open_.size() + depth_of(found->second) > kMaximumDocumentDepth) refuse_depth(mark);
    charge(found->second, mark.line + 1);
    DocumentNode copy = found->second;
    copy.line = mark.line + 1;  // where it is used is where it is wrong
    add(std::move(copy), YAML::NullAnchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, DocumentNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, DocumentNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    DocumentNode node;
    YAML::anchor_t anchor;
  };

  static DocumentNode make(const YAML::Mark& mark, const std::string& tag) {
    DocumentNode node;
    node.line = mark.line + 1;
    if (tag != "?" && tag != "!") node.tag = tag;
    return node;
  }

  [[noreturn]] static void refuse_depth(const YAML::Mark& mark) {
    throw Refusal{mark.line + 1, "nested more than " + std::to_string(kMaximumDocumentDepth) +
                                     " deep, which no cassette is"};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            DocumentNode::Kind kind) {
    if (open_.size() >= kMaximumDocumentDepth) refuse_depth(mark);
    DocumentNode node = make(mark, tag);
    node.kind = kind;
    open_.push_back({std::move(node), anchor});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.node.is_map()) {
      if (int line = merge_keys(done.node); line != 0) {
        throw Refusal{line, "<< merges a map, or a list of maps, and nothing else"};
      }
    }
    add(std::move(done.node), done.anchor);
  }

  void add(DocumentNode node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      charge(node, node.line);
      anchored_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.items.push_back(std::move(node));
    }
  }

  static std::size_t depth_of(const DocumentNode& node) {
    std::size_t deepest = 0;
    for (const DocumentNode& item : node.items) deepest = std::max(deepest, depth_of(item));
    return deepest + 1;
  }

  static std::size_t size_of(const DocumentNode& node) {
    std::size_t size = sizeof node + node.text.size() + node.tag.size();
    for (const DocumentNode& item : node.items) size += size_of(item);
    return size;
  }

  /// Every copy is paid for beforehand, so that aliases of aliases cannot blow the tree up.
  void charge(const DocumentNode& node, int line) {
    std::size_t size = size_of(node);
    if (size > budget_) {
      throw Refusal{line, "aliases that would swell this file to many times its size"};
    }
    budget_ -= size;
  }

  std::string_view text_;
  std::size_t budget_;
  const TaggedBlocks& tagged_blocks_;
  DocumentNode root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, DocumentNode> anchored_;
};

int line_at(std::string_view text, std::size_t position) {
  int line = 1;
  for (char c : text.substr(0, position)) line += c == '\n';
  return line;
}

/// The first byte that YAML does not allow as it stands, or npos.
std::size_t find_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F) return i;
  }
  return std::string_view::npos;
}

Result<DocumentNode> parse(std::string_view text, const std::string& name,
                           const TaggedBlocks& tagged_blocks) {
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    constexpr std::size_t kAnyWay = std::size_t{1} << 20;
    TreeBuilder builder(text, 16 * text.size() + kAnyWay, tagged_blocks);
    if (!parser.HandleNextDocument(builder)) return DocumentNode{};
    DocumentNode root = builder.take();
    TreeBuilder second(text, 0, tagged_blocks);
    if (parser.HandleNextDocument(second)) {
      return error_at(name, second.take().line, "a second document (---), where one is expected");
    }
    return root;
  } catch (const Refusal& refusal) {
    return error_at(name, refusal.line, refusal.reason);
  } catch (const YAML::Exception& exception) {
    int line = exception.mark.is_null() ? 0 : exception.mark.line + 1;
    return error_at(name, line, "not valid YAML: " + exception.msg);
  } catch (const std::exception& exception) {
    return error_at(name, 0, std::string("not valid YAML: ") + exception.what());
  }
}

}  // namespace

Result<DocumentNode> tree_from_yaml(std::string_view text, const std::string& name) {
  if (!is_utf8(text)) {
    return error_at(name, line_of_invalid_utf8(text),
                    "bytes that are not UTF-8, which YAML has to be");
  }
  if (std::size_t at = find_control(text); at != std::string_view::npos) {
    char code[8];
    std::snprintf(code, sizeof code, "0x%02X", static_cast<unsigned>(text[at]));
    return error_at(name, line_at(text, at),
                    std::string("the control character ") + code + ", which YAML does not allow");
  }
  // yaml-cpp skips it too, but its positions do not count it.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  auto tree = parse(text, name, TaggedBlocks());
  if (tree) return tree;
  TaggedBlocks tagged_blocks;
  std::string rewritten = tagged_blocks.rewrite(text);
  if (rewritten.empty()) return tree;
  auto again = parse(rewritten, name, tagged_blocks);
  return again ? again : tree;
}

}  // namespace cassette
