// Goes round a defect of yaml-cpp 0.7: tagged block scalars in lists (`- !!binary |`, which PyYAML
// writes) it cannot read, because it takes the tag for the beginning of a key, and so expects the block
// deeper than it is. Used by yaml_reader.cc alone, and only for files that do not parse otherwise.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace cassette {

class TaggedBlocks {
 public:
  /// The text with each such line as `- |` and a comment, its tag remembered by its line. Empty when
  /// there is no such line.
  std::string rewrite(std::string_view text);

  /// The tag that was taken from a block scalar beginning on this line, or nullptr.
  const std::string* tag_at(int line) const;

  /// Puts the lines back inside a scalar, where they were no markup but text. They are recognised by the
  /// comment, which the file does not have otherwise.
  void restore(std::string& text) const;

 private:
  struct Block {
    std::string tag;
    std::string before;  ///< the line from its dash on, as it was
    std::string after;   ///< and as it became
  };

  void append_line(std::string& out, std::string_view line, int number);

  std::string mark_;
  std::unordered_map<int, Block> blocks_;
};

}  // namespace cassette
