// A keyed one-way hash: says whether two values are equal, and nothing else of them, not even to one who has the key
// (but for guessing). BLAKE2s as RFC 7693 has it, with a digest of 16 bytes. Not fast, and need not be.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cassette {

using HashKey = std::array<std::uint8_t, 16>;
using KeyedDigest = std::array<std::uint8_t, 16>;

/// Random, from the kernel.
HashKey make_hash_key();

KeyedDigest keyed_hash(const HashKey& key, std::string_view value);

}  // namespace cassette
