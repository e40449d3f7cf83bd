// Urgent data (tcp(7), send(2) with MSG_OOB): a mark in the stream of bytes, in front of one of them. The engine reads both
// its sockets with SO_OOBINLINE, so that the byte stays where it was said, and says it with the same mark on the other
// side; a receive ends in front of a mark (tcp(7); af_unix.c of the kernel since Linux 5.15). How the program is told, and
// whether it has the byte in its stream, is between it and its end of the pair.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <string_view>

namespace cassette {

/// Is the next byte to be read from `fd` an urgent one? False where there can be none. errno is left alone.
bool urgent_is_next(int fd);

/// What of `bytes` can be sent at once, when the `urgent`th of all that are to be sent is urgent (0: none): such a one goes
/// alone, with MSG_OOB added to `flags`.
inline std::string_view next_piece(std::string_view bytes, std::size_t urgent, int* flags) {
  if (urgent == 0) return bytes;
  if (urgent == 1) *flags |= MSG_OOB;
  return bytes.substr(0, urgent == 1 ? 1 : urgent - 1);
}

/// `sent` bytes of them are.
inline void count_sent(std::size_t* urgent, ssize_t sent) {
  const auto size = static_cast<std::size_t>(sent);
  *urgent -= size < *urgent ? size : *urgent;
}

}  // namespace cassette
