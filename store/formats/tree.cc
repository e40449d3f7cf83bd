// What every document tree can be asked; the readers are in yaml_reader.cc and json_reader.cc.
#include "store/formats/tree.h"

namespace cassette {

DocumentNode* DocumentNode::find(std::string_view key) {
  return const_cast<DocumentNode*>(static_cast<const DocumentNode*>(this)->find(key));
}

const DocumentNode* DocumentNode::find(std::string_view key) const {
  if (kind != Kind::kMap) return nullptr;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const DocumentNode& candidate = items[i - 2];
    if (candidate.is_scalar() && candidate.text == key) return &items[i - 1];
  }
  return nullptr;
}

std::string DocumentNode::key_names() const {
  // Enough to recognise what it is; the rest of a hostile map would only be noise.
  constexpr std::size_t kEnough = 10;
  std::string names;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (i > 0) names += ", ";
    if (i / 2 == kEnough) return names + "...";
    names += items[i].is_scalar() ? items[i].text.substr(0, 40) : "?";
  }
  return names.empty() ? "none" : names;
}

Error error_at(const std::string& name, int line, std::string_view reason) {
  std::string message = name;
  if (line > 0) message += ":" + std::to_string(line);
  message += ": ";
  message += reason;
  return Error{std::move(message)};
}

}  // namespace cassette
