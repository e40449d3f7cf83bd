// The hash behind ids and file names: XXH3 with 64 bits, over parts that cannot run into each other.
// Not against attackers: it tells recordings apart, it proves nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cassette {

class Hash {
 public:
  Hash();
  ~Hash();
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  /// The length goes in too: ("ab", "c") differs from ("a", "bc").
  void add(std::string_view part);
  void add(std::uint64_t number);
  /// 16 hexadecimal digits.
  std::string hex() const;

 private:
  void* state_;
};

}  // namespace cassette
