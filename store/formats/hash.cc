// See hash.h.
#include "store/formats/hash.h"

#define XXH_INLINE_ALL  // the header alone, no library to link
#include <xxhash.h>

#include <cstdio>
#include <new>

namespace cassette {

Hash::Hash() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}

Hash::~Hash() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }

void Hash::add(std::string_view part) {
  add(std::uint64_t{part.size()});
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), part.data(), part.size());
}

void Hash::add(std::uint64_t number) {
  // Byte by byte: the same id on a machine of the other endianness.
  unsigned char bytes[8];
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(number);
    number >>= 8;
  }
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), bytes, sizeof bytes);
}

std::string Hash::hex() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(
                    XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_))));
  return text;
}

}  // namespace cassette
