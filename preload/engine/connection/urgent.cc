// See urgent.h. Where the mark is in what goes out.
//
// For HTTP an urgent byte of the program is one like the others (RFC 6093 section 3.1 and 5: the mechanism never was out of
// band), in replay as in a recording: what a server would have taken for the message nobody else can know. One of the server
// is no part of an answer that the program reads without it. Within TLS or a tunnel there is no place for a mark.
#include "preload/engine/connection/urgent.h"

#include <asm/sockios.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <vector>

#include "preload/engine/connection/connection.h"
#include "preload/engine/engine.h"

namespace cassette {

bool urgent_is_next(int fd) {
  const int saved = errno;
  int is_next = 0;
  if (ioctl(fd, SIOCATMARK, &is_next) != 0) is_next = 0;
  errno = saved;
  return is_next != 0;
}

ssize_t Connection::send_urgent(int fd, const iovec* parts, std::size_t count) {
  program_urges_ = true;  // or will, through the pair
  while (count > 0 && parts[count - 1].iov_len == 0) --count;
  if (count == 0) return send_inline(fd, parts, count);
  std::vector<iovec> before(parts, parts + count);
  const std::size_t last = --before.back().iov_len;
  const std::string_view urgent(static_cast<const char*>(before.back().iov_base) + last, 1);
  std::size_t size = 0;
  for (const iovec& part : before) size += part.iov_len;

  const ssize_t sent = send_inline(fd, before.data(), before.size());
  if (sent < 0) return sent;
  const bool goes_on = static_cast<std::size_t>(sent) == size && takes_program() && takes_inline();
  if (!goes_on) return sent > 0 ? sent : kPassThrough;
  const bool is_sent = take(urgent, /*urgent=*/true);
  flush();
  if (is_sent) return sent + 1;
  return sent > 0 ? sent : send_too_late(fd);
}

/// Behind what was taken before. What the conversation takes for its own becomes an ordinary byte.
void Connection::take_urgent(std::string_view byte) {
  const std::size_t before = conversation_->to_upstream().size();
  conversation_->from_program(byte);
  const std::size_t size = conversation_->to_upstream().size();
  if (!conversation_->settled()) {
    urgent_held_ = conversation_->held();
  } else if (conversation_->is_plain() && size > before) {
    urgent_to_upstream_ = size;
    urgent_held_ = 0;
  }
}

/// The conversation knows by now what the program speaks.
void Connection::place_urgent() {
  if (urgent_held_ == 0 || !conversation_->settled()) return;
  if (conversation_->relays()) urgent_to_upstream_ = urgent_held_;
  urgent_held_ = 0;
}

void Connection::hear_urgent(std::string_view byte) {
  Output& output = conversation_->to_program();
  const std::size_t before = output.size();
  if (conversation_->is_plain() && !reads_in_line()) {
    output.add_copy(byte);
  } else {
    conversation_->from_upstream(byte);
  }
  if (conversation_->is_plain() && output.size() > before) urgent_to_program_ = output.size();
}

/// Has the program urgent bytes among the others (SO_OOBINLINE)?
bool Connection::reads_in_line() const {
  int in_line = 0;
  socklen_t length = sizeof in_line;
  return is(sockets_.program_fd) &&
         ::getsockopt(sockets_.program_fd, SOL_SOCKET, SO_OOBINLINE, &in_line, &length) == 0 &&
         in_line != 0;
}

}  // namespace cassette
