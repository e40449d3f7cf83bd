// See tagged_blocks.h.
#include "store/formats/tagged_blocks.h"

#include <algorithm>
#include <cstdlib>

namespace cassette {
namespace {

std::string_view without_spaces_at_end(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string TaggedBlocks::rewrite(std::string_view text) {
  mark_ = " #tagged-block";
  while (text.find(mark_) != std::string_view::npos) mark_ += '-';
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  int line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    append_line(out, text.substr(begin, end - begin), ++line);
    if (end < text.size()) out += '\n';
    begin = end + 1;
  }
  return blocks_.empty() ? std::string() : out;
}

void TaggedBlocks::append_line(std::string& out, std::string_view line, int number) {
  // From the back: the bar with its indicators, the tag, the dash.
  std::string_view rest = without_spaces_at_end(line);
  std::size_t bar = rest.find_last_of("|>");
  bool block = bar != std::string_view::npos &&
               rest.find_first_not_of("+-123456789", bar + 1) == std::string_view::npos;
  std::string_view indicators = block ? rest.substr(bar) : std::string_view();
  rest = without_spaces_at_end(rest.substr(0, block ? bar : 0));
  std::size_t tag_begins = rest.rfind(' ') + 1;
  std::string_view tag = rest.substr(tag_begins);
  rest = without_spaces_at_end(rest.substr(0, tag_begins));
  bool after_dash = rest.ends_with('-') && (rest.size() == 1 || rest[rest.size() - 2] == ' ');
  if (!tag.starts_with('!') || !after_dash) {
    out += line;
    return;
  }
  std::size_t dash = rest.size() - 1;
  Block block_here;
  block_here.tag = tag.starts_with("!!") ? "tag:yaml.org,2002:" + std::string(tag.substr(2)) : tag;
  block_here.before = line.substr(dash);
  block_here.after = "- " + std::string(indicators) + mark_ + ":" + std::to_string(number);
  out += rest.substr(0, dash);
  out += block_here.after;
  blocks_.emplace(number, std::move(block_here));
}

const std::string* TaggedBlocks::tag_at(int line) const {
  auto found = blocks_.find(line);
  return found == blocks_.end() ? nullptr : &found->second.tag;
}

void TaggedBlocks::restore(std::string& text) const {
  if (blocks_.empty()) return;
  std::size_t at = 0;
  while ((at = text.find(mark_, at)) != std::string::npos) {
    auto found = blocks_.find(std::atoi(text.c_str() + at + mark_.size() + 1));
    if (found == blocks_.end()) return;
    const Block& block = found->second;
    std::size_t length_before_mark = block.after.find(mark_);
    if (length_before_mark > at) return;
    std::size_t dash = at - length_before_mark;
    text.replace(dash, block.after.size(), block.before);
    at = dash + block.before.size();
  }
}

}  // namespace cassette
