// Hashes a sequence of components into 128 bits (XXH3) as they come, byte by byte where they have
// to be rewritten, without allocating. Components do not run into each other: ("ab", "c") and ("a",
// "bc") differ, because each is followed by its length.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cassette {

class KeyHasher {
 public:
  KeyHasher() {
  }  // NOLINT: the buffers need no value, and setting them would cost more than the hash
  KeyHasher(const KeyHasher&) = delete;
  KeyHasher& operator=(const KeyHasher&) = delete;

  void reset() {
    used_ = 0;
    component_ = 0;
    streaming_ = false;
  }

  void add(char c) {
    if (used_ == sizeof buffer_) spill();
    buffer_[used_++] = c;
    ++component_;
  }
  void add(std::string_view text) {
    component_ += text.size();
    put(text.data(), text.size());
  }
  /// In lower case (ASCII).
  void add_lower(std::string_view text) {
    component_ += text.size();
    if (text.size() > sizeof buffer_ - used_) spill();
    while (text.size() > sizeof buffer_) {
      put_lower(text.substr(0, sizeof buffer_));
      spill();
      text.remove_prefix(sizeof buffer_);
    }
    put_lower(text);
  }
  /// Ends a component.
  void end() {
    const auto length = static_cast<std::uint32_t>(component_);
    put(&length, sizeof length);
    component_ = 0;
  }
  /// Components of fixed size need no length.
  void add_number(std::uint64_t number) { put(&number, sizeof number); }

  XXH128_hash_t digest() {
    // The usual request fits in the buffer, and one call over it is what XXH3 does fastest. Both
    // ways give the same bytes the same hash.
    if (!streaming_) return XXH3_128bits(buffer_, used_);
    spill();
    return XXH3_128bits_digest(&state_);
  }

 private:
  void put(const void* bytes, std::size_t size) {
    if (size > sizeof buffer_ - used_) {
      spill();
      if (size > sizeof buffer_) {
        XXH3_128bits_update(&state_, bytes, size);
        return;
      }
    }
    if (size != 0) std::memcpy(buffer_ + used_, bytes, size);
    used_ += size;
  }

  void put_lower(std::string_view text) {
    char* out = buffer_ + used_;
    for (char c : text) *out++ = static_cast<char>(c | (c >= 'A' && c <= 'Z' ? 0x20 : 0));
    used_ += text.size();
  }

  void spill() {
    if (!streaming_) XXH3_128bits_reset(&state_);
    streaming_ = true;
    XXH3_128bits_update(&state_, buffer_, used_);
    used_ = 0;
  }

  std::size_t used_ = 0;
  std::size_t component_ = 0;
  bool streaming_ = false;
  char buffer_[512];
  XXH3_state_t state_;
};

}  // namespace cassette
