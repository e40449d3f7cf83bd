// All connections of a process. The pool never gives memory back, so that a stale pointer out of the descriptor table can
// always be locked and asked whether it is still the same connection.
//
// Thread safety: everything from any thread. Locks: a connection's mutex is taken before the pool's.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "preload/engine/connection/connection.h"

namespace cassette {

class ConnectionPool {
 public:
  /// nullptr without memory. The connection is not live yet.
  Connection* acquire();
  /// Calls `visit` for every live connection, with its mutex held.
  template <typename Visit>
  void for_each(Visit visit) {
    for (std::uint32_t index = 0;; ++index) {
      Connection* connection = at(index);
      if (connection == nullptr) return;
      std::lock_guard guard(connection->mutex);
      if (connection->live()) visit(*connection);
    }
  }
  /// By index; nullptr beyond the end.
  Connection* at(std::uint32_t index);
  /// After release(), without its mutex.
  void give_back(Connection* connection);

  /// Around fork: no other thread is in the pool, nor in a connection, where it may hold locks of all kinds
  /// (OpenSSL's, a cassette's); the child begins with an empty pool.
  void lock();
  void unlock();
  /// In between: Connection::move_number() of whichever has it.
  bool move_number(int from, int to);
  void forget_all_in_child(bool shares_descriptors);

 private:
  /// A connection takes 30 KB: a program with one of them should not pay for many.
  static constexpr std::uint32_t kChunk = 8;
  std::mutex mutex_;
  std::vector<Connection*> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t made_ = 0;
};

}  // namespace cassette
