// The header fields of one message: order, case and duplicates as they came.
// Kept in one arena, so that a list that is cleared and filled again allocates nothing
// (the fast path parses every request of a connection into the same object).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// ASCII case-insensitive comparison, as RFC 9110 section 5.1 wants it for field names.
bool equals_ignoring_case(std::string_view a, std::string_view b);

class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  void add(std::string_view name, std::string_view value);
  /// Forgets the fields, keeps the memory.
  void clear();

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// Views into this object: valid until the next add() or clear().
  Field at(std::size_t index) const;

  /// The first field of that name (any case), or nothing.
  std::optional<std::string_view> find(std::string_view name) const;
  /// True when a field of that name has `token` among its comma-separated values
  /// (RFC 9110 section 5.6.1; any case).
  bool has_token(std::string_view name, std::string_view token) const;

  class Iterator {
   public:
    Iterator(const Headers* headers, std::size_t index) : headers_(headers), index_(index) {}
    Field operator*() const { return headers_->at(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const Headers* headers_;
    std::size_t index_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

  /// Same fields in the same order, byte for byte.
  bool operator==(const Headers& other) const;

 private:
  struct Entry {
    std::uint32_t offset;
    std::uint32_t name_length;
    std::uint32_t value_length;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace cassette
