// The socket options of a connection whose original socket is not kept: where numbers are scarce and nothing may go out, it would
// only be there to be asked. What the program set before connect(2) is read from it then; what it sets later is checked by
// another TCP socket, and noted. Whatever else it asks for is as TCP has it by default.
//
// Thread safety: none; the connection's mutex.
#pragma once

#include <sys/socket.h>

#include <array>
#include <vector>

namespace cassette {

class KeptOptions {
 public:
  /// Of a socket that is about to be closed.
  void read(int fd, sa_family_t family);
  /// As setsockopt(2) on a TCP socket of that family.
  int set(sa_family_t family, int level, int name, const void* value, socklen_t length);
  /// False: TCP's default.
  bool get(int level, int name, void* value, socklen_t* length) const;
  /// Sets all of them.
  void apply(int fd) const;
  void clear() { options_.clear(); }

 private:
  struct Option {
    int level;
    int name;
    socklen_t length;
    std::array<char, 16> value;
  };
  void note(int level, int name, const void* value, socklen_t length);

  std::vector<Option> options_;
};

}  // namespace cassette
